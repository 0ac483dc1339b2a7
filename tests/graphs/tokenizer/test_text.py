"""The tokenizer as a graph, against the Rust tokenizer it was read off."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import NFC
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import BertProcessing

from core.errors import GraphError
from graphs.edit import legal
from graphs.tokenizer import build
from tests.support.tokenizers import SPECIAL, WORDS, tokenizer
from verify.parity import text_ids

# What a text is made of: pieces of tokens, and anything at all.
PIECES = st.one_of(
    st.sampled_from(
        [
            *WORDS,
            *SPECIAL,
            " ",
            "",
            "\u0301",
            "\u0323",
            "\u200d",
            "\ufe0f",
            "\n",
            "\0",
            "한글",
            "İ",
            "[",
            "SEP]",
        ]
    ),
    st.text(max_size=6),
)
TEXTS = st.lists(st.lists(PIECES, max_size=12).map("".join), min_size=1, max_size=6)


class Pair:
    """A tokenizer and its graph, in onnxruntime."""

    def __init__(self, original: Tokenizer) -> None:
        self.original, self.model = original, build.tokenizing(original)
        proto = ir.to_proto(self.model)
        self.content = proto.SerializeToString()
        self.session = onnxruntime.InferenceSession(self.content)

    def run(self, texts):
        return self.session.run(None, {"text": np.array(texts, object)})

    def assert_equal(self, texts):
        ids, mask = self.run(texts)
        expected = [encoding.ids for encoding in self.original.encode_batch(texts)]
        assert ids.dtype == mask.dtype == np.int64
        assert ids.shape == mask.shape == (len(texts), max(map(len, expected)))
        for text_, row, kept, wanted in zip(texts, ids, mask, expected, strict=True):
            assert row[: len(wanted)].tolist() == wanted, text_[:80]
            assert kept.tolist() == [1] * len(wanted) + [0] * (len(row) - len(wanted))
            assert not row[len(wanted) :].any()


@pytest.fixture(scope="module")
def real(artifact):
    return Pair(build.read(artifact / "tokenizer.json"))


@pytest.fixture(scope="module")
def hard():
    return Pair(tokenizer())


@pytest.fixture(scope="module", params=["hard", "cased"])
def made(request, hard):
    return hard if request.param == "hard" else Pair(tokenizer(cased=True, length=5, most=7))


def test_every_hostile_text_alone_and_in_a_batch(real):
    texts = text_ids.hostile()
    real.assert_equal(texts)
    for one in texts:
        real.assert_equal([one])


def test_every_hostile_text_with_other_tokenizers(made):
    made.assert_equal(text_ids.hostile())


def test_every_character_between_letters(real):
    points = [p for p in range(0x110000) if not 0xD800 <= p < 0xE000]
    # The classes are made of single characters; here each has neighbours, and some join or part them.
    texts = ["a".join(map(chr, points[start : start + 200])) for start in range(0, len(points), 200)]
    for start in range(0, len(texts), 64):
        real.assert_equal(texts[start : start + 64])


def test_every_test_text_of_goemotions(real, go_emotions):
    rows = (go_emotions / "test.tsv").read_text("utf-8").split("\n")
    texts = [row.split("\t")[0] for row in rows if row]
    assert len(texts) == 5427
    for start in range(0, len(texts), 128):
        real.assert_equal(texts[start : start + 128])


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_any_texts(made, texts):
    made.assert_equal(texts)


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_any_texts_with_a_real_vocabulary(real, texts):
    real.assert_equal(texts)


@pytest.mark.parametrize("size", [1, 2, 31, 128])
def test_batches(real, size):
    real.assert_equal([f"text {number} " * (number % 7) for number in range(size)])


def test_an_empty_batch(real, capfd):
    ids, mask = real.run([])
    assert ids.shape == mask.shape == (0, 1)
    # onnxruntime warns where a shape is not the one it inferred.
    assert not capfd.readouterr().err


@pytest.mark.parametrize("words", [8, 9, 10, 11, 12, 40])
def test_what_is_too_long_loses_its_end_and_keeps_the_last_token(hard, words):
    hard.assert_equal(["a " * words, "ab" * words, "[SEP]" * words, "a"])


def test_a_word_is_unknown_above_its_most_letters(made):
    made.assert_equal(["a" * count for count in (1, 6, 7, 8, 99, 100, 101)])


def test_the_graph_is_legal_and_the_same_each_time(hard):
    legal.check(hard.model)
    assert ir.to_proto(build.tokenizing(tokenizer())).SerializeToString() == hard.content
    foreign = {node.op_type for node in hard.model.graph.all_nodes() if node.domain}
    assert foreign == {"Tokenizer", "LabelEncoder"}


def test_a_tokenizer_without_special_tokens_in_texts():
    plain = Tokenizer.from_str(tokenizer().to_str().replace('"special":true', '"special":false'))
    bare = Tokenizer(plain.model)
    bare.normalizer, bare.pre_tokenizer = plain.normalizer, plain.pre_tokenizer
    bare.post_processor = BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    bare.enable_truncation(9)
    Pair(bare).assert_equal(["a [SEP] b", "[CLS]", "", "abcde abab[MASK]"])


def other(change):
    made = tokenizer()
    change(made)
    return made


def _strip(made):
    made.add_special_tokens([AddedToken("<x>", lstrip=True, normalized=False)])


def _spacing_mark(made):
    # It stays where accents are stripped, and changes places with marks of another class.
    words = {**made.get_vocab(with_added_tokens=False), "a\u302e": 99}
    made.model = WordPiece(words, unk_token="[UNK]")


REFUSED = [
    (_spacing_mark, "tokens with marks whose order may change"),
    (lambda t: setattr(t, "normalizer", NFC()), "normalizer: found NFC, expected BertNormalizer"),
    (
        lambda t: setattr(t, "pre_tokenizer", Whitespace()),
        "pre_tokenizer: found Whitespace, expected BertPre",
    ),
    (lambda t: setattr(t.model, "continuing_subword_prefix", "@@"), "continuing_subword_prefix: found '@@'"),
    (lambda t: t.no_truncation(), "found truncation None"),
    (lambda t: t.enable_truncation(9, direction="left"), "'direction': 'Left'"),
    (lambda t: t.enable_padding(), "padding .*expected a length, from the right, and no padding"),
    (_strip, "added token <x>: expected none of"),
    (
        lambda t: setattr(t, "post_processor", None),
        r"found \[\] around a text, expected one token on each side",
    ),
]


@pytest.mark.parametrize(("change", "sentence"), REFUSED, ids=[sentence[:20] for _, sentence in REFUSED])
def test_what_is_not_bert_is_refused(change, sentence):
    with pytest.raises(GraphError, match=sentence):
        build.tokenizing(other(change))


def test_a_file_that_is_no_tokenizer(tmp_path):
    listed = (("missing.json", None, "cannot be read"), ("broken.json", "{", "cannot be read as JSON"))
    for name, content, said in listed:
        if content is not None:
            (tmp_path / name).write_text(content)
        with pytest.raises(GraphError, match=rf"{name}: .*{said}"):
            build.read(tmp_path / name)
