"""BERT tokenizers with vocabularies that are hard on a tokenizer."""

from __future__ import annotations

from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import BertProcessing

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
# Prefixes of each other, ways that lead on and end nowhere, jamo, marks of Indic scripts, Chinese,
# punctuation, tokens that no text can reach.
WORDS = [
    *(
        "a",
        "ab",
        "abcde",
        "##b",
        "##bc",
        "##bcd",
        "##cde",
        "##e",
        "##ea",
        "c",
        "##a",
        "##abab",
        "z",
        "##zzzzzzz",
    ),
    *("é", "e", "##e\u0301", "##\u0301", "ß", "##ß", "E", "##E", "AB", "##É"),
    *("\u1112", "\u1112\u1161\u11ab", "##\u1112\u1161", "##\u1100", "가", "##\u11a8"),
    *("\u0995", "##\u09be", "\u0995\u09c7\u09be", "##\u093f", "中", "##文", "中文", "の", "##ほ"),
    *("!", ".", "...", "##!", "-", "don't", "[SEP]x", "#", "##", "😂", "##😂", "❤", "1", "##0", "10"),
]


def tokenizer(*, cased: bool = False, length: int = 12, most: int = 100) -> Tokenizer:
    """Make one with its special tokens added, as published ones have them."""
    vocabulary = {word: index for index, word in enumerate([*SPECIAL, *WORDS])}
    made = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=most))
    made.normalizer = BertNormalizer(lowercase=not cased)
    made.pre_tokenizer = BertPreTokenizer()
    made.post_processor = BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    made.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in SPECIAL])
    made.enable_truncation(length)
    return made
