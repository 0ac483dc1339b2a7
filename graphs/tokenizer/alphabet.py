"""Read off a BERT tokenizer what it makes of each character."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from core.errors import GraphError
from graphs.tokenizer.characters import NEIGHBOUR, Part, blocks, meanings, moved_marks

# Symbols that every alphabet has; 0 is none. START and END are the tokens put around a text.
SPACE, START, END, UNKNOWN_SINGLE = 1, 2, 3, 4
_FIRST_FREE = 5
# What a token that continues a word begins with.
CONTINUES = "##"
_KINDS = {"normalizer": "BertNormalizer", "pre_tokenizer": "BertPreTokenizer", "model": "WordPiece"}
_PLAIN = ("single_word", "lstrip", "rstrip", "normalized")


@dataclass(frozen=True)
class Alphabet:
    """Characters as classes, classes as symbols; a symbol is what WordPiece can tell apart.

    `classes` maps a character, or a special token, to its class; `other` is the class of those not in
    it, a letter that no token has. `symbols_km` int32 has the symbols of each class, 0 behind the last.
    A symbol is none (0), a space, a word of its own (a punctuation mark, a Chinese character, a special
    token; `singles` has their token ids) or, from `first_letter` on, a letter of a word.
    """

    classes: dict[str, int]
    other: int
    symbols_km: NDArray[np.int32]
    singles: dict[int, int]
    letters: dict[str, int]
    first_letter: int
    unknown_id: int
    specials: tuple[str, ...]

    @property
    def size(self) -> int:
        """How many symbols there are, none included."""
        return self.first_letter + len(self.letters) + 1


def check(tokenizer: Tokenizer) -> dict[str, Any]:
    """Return the tokenizer's own description, where it is one that `alphabet` can read.

    Raises:
        GraphError: another normalizer, pre-tokenizer or model than BERT's, special tokens matched in
            another way than as they are typed, or other tokens around a text than one on each side.
    """
    described: dict[str, Any] = json.loads(tokenizer.to_str())
    for part, expected in _KINDS.items():
        found = (described[part] or {}).get("type")
        if found != expected:
            raise GraphError(f"tokenizer.json: {part}: found {found}, expected {expected}")
    prefix = described["model"]["continuing_subword_prefix"]
    if prefix != CONTINUES:
        raise GraphError(
            f"tokenizer.json: continuing_subword_prefix: found {prefix!r}, expected {CONTINUES!r}"
        )
    for token in described["added_tokens"]:
        if any(token[flag] for flag in _PLAIN):
            raise GraphError(f"tokenizer.json: added token {token['content']}: expected none of {_PLAIN}")
    around = tokenizer.encode("").ids
    if len(around) != 2 or tokenizer.encode(NEIGHBOUR).ids[::2] != around:
        raise GraphError(f"tokenizer.json: found {around} around a text, expected one token on each side")
    return described


class _Numbering:
    """Gives symbols to what the characters mean, known ones first, and classes to what they become."""

    def __init__(self, vocabulary: dict[str, int], letters: Iterable[str], specials: dict[str, int]) -> None:
        self.singles: dict[int, int] = {}
        words = {token: index for token, index in vocabulary.items() if len(token) == 1}
        self.single_of: dict[str, int] = {}
        for token, index in {**words, **specials}.items():
            self.single_of[token] = _FIRST_FREE + len(self.single_of)
            self.singles[self.single_of[token]] = index
        self.first_letter = _FIRST_FREE + len(self.single_of)
        self.letters = {letter: self.first_letter + at for at, letter in enumerate(letters)}
        self.unknown_letter = self.first_letter + len(self.letters)
        self.numbers: dict[tuple[int, ...], int] = {(): 0}

    def _symbol(self, part: Part) -> int:
        if isinstance(part, tuple):
            return self.single_of.get(part[0], UNKNOWN_SINGLE)
        return SPACE if part == " " else self.letters.get(part, self.unknown_letter)

    def number(self, meaning: tuple[int, ...]) -> int:
        return self.numbers.setdefault(meaning, len(self.numbers))

    def classes(self, tokenizer: Tokenizer) -> tuple[dict[str, int], int]:
        """Return the class of every character but the unknown letters, and theirs."""
        # What fills up a row.
        numbers, other = {"": 0}, self.number((self.unknown_letter,))
        known = {" ", *self.letters}
        for block in blocks():
            for character, meaning in zip(block, meanings(tokenizer, block), strict=True):
                # Most of Unicode: a letter that stays, and that no token has.
                if meaning == (character,) and character not in known:
                    continue
                number = self.number(tuple(map(self._symbol, meaning)))
                if number != other:
                    numbers[character] = number
        return numbers, other

    def symbols(self) -> NDArray[np.int32]:
        table = np.zeros((len(self.numbers), max(map(len, self.numbers))), np.int32)
        for meaning, number in self.numbers.items():
            table[number, : len(meaning)] = meaning
        return table


def _letters(tokenizer: Tokenizer, vocabulary: Iterable[str]) -> list[str]:
    letters = sorted({letter for token in vocabulary for letter in token.removeprefix(CONTINUES)} - {" "})
    if moved := moved_marks(tokenizer, letters):
        raise GraphError(f"tokenizer.json: tokens with marks whose order may change: {moved}")
    return letters


def alphabet(tokenizer: Tokenizer) -> Alphabet:
    """Ask the tokenizer for every character of Unicode, between two letters.

    Exact for a text, not just for a character: BERT's normalizer maps each character by itself. Only
    the canonical order of combining marks looks further; it moves no mark that a token has (checked),
    and a word with another mark is unknown in any order.

    Raises:
        GraphError: a tokenizer that `check` refuses, or a token with a mark that may be moved.
    """
    described = check(tokenizer)
    vocabulary: dict[str, int] = described["model"]["vocab"]
    specials = {token["content"]: token["id"] for token in described["added_tokens"]}
    numbering = _Numbering(vocabulary, _letters(tokenizer, vocabulary), specials)
    classes, other = numbering.classes(tokenizer)
    for token in specials:
        classes[token] = numbering.number((numbering.single_of[token],))
    unknown = vocabulary[described["model"]["unk_token"]]
    around = dict(zip((START, END), tokenizer.encode("").ids, strict=True))
    for symbol in around:
        numbering.number((symbol,))
    return Alphabet(
        classes=classes,
        other=other,
        symbols_km=numbering.symbols(),
        singles={**numbering.singles, UNKNOWN_SINGLE: unknown, **around},
        letters=numbering.letters,
        first_letter=numbering.first_letter,
        unknown_id=unknown,
        specials=tuple(specials),
    )
