"""The tokenizer in C gives the ids that the Rust one gives."""

from __future__ import annotations

import random

import pytest
from tokenizers import Tokenizer

pytestmark = pytest.mark.consumers

# Pieces that a tokenizer may stumble on alone or next to each other.
PIECES = [
    *("[SEP]", "[CLS", "[MASK]", "[UNK]", "##ing", "un", "believ", "able"),
    *("x" * 100, "y" * 101, "É" * 100, "İ", "ǅ", "Σας", "가", "각", "a\u0300\u0315"),
    *("\0", "\x7f", "\u200d", "❤️", "phone🤣", "👩\u200d👧", "-", "--", "\u2028", "\x85", " ", "\t", "\r"),
    *("\ufeff", "①", "ﬁ", "中", "㐀", "𠀀", "𫠠", "豈", "丽", "≠", "\ufffd"),
]


@pytest.fixture(scope="session")
def tokenizer(artifact):
    return Tokenizer.from_file(str(artifact / "tokenizer.json"))


@pytest.fixture
def differing(run, artifact, tokenizer):
    def compare(texts, program="ids"):
        given = "".join(text + "\n" for text in texts).encode()
        found = run(program, artifact / "vocab.txt", tokenizer.truncation["max_length"], given=given)
        assert (found.returncode, found.stderr) == (0, b"")
        rows = [[int(token) for token in line.split()] for line in found.stdout.splitlines()]
        wanted = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
        assert len(rows) == len(wanted)
        return [text for text, a, b in zip(texts, rows, wanted, strict=True) if a != b]

    return compare


def test_the_references_texts(differing, artifact, tokenizer):
    from core.build import reference

    texts = reference.read(artifact / "reference.npz").texts
    flat = [text.replace("\n", " ") for text in texts]
    assert [e.ids for e in tokenizer.encode_batch(texts)] == [e.ids for e in tokenizer.encode_batch(flat)]
    assert differing(flat) == []


@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_every_text_of_go_emotions(differing, go_emotions, split):
    rows = (go_emotions / f"{split}.tsv").read_text("utf-8").split("\n")[:-1]
    assert differing([row.split("\t")[0] for row in rows]) == []


def test_every_character(differing):
    characters = [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF and c != ord("\n")]
    assert differing([f"a{c}b" for c in characters]) == []


@pytest.mark.parametrize("program", ["ids", "ids-sanitized"])
def test_hostile_texts(differing, program):
    chance = random.Random(5)
    joined = ["".join(chance.choices(PIECES, k=chance.randrange(40))) for _ in range(5_000)]
    anything = [chr(c) for c in range(0x3000) if c != ord("\n")] + [chr(c) for c in range(0x1F000, 0x1FB00)]
    mixed = ["".join(chance.choices(anything, k=chance.randrange(60))) for _ in range(5_000)]
    long = ["word " * 511, "word " * 510, "word " * 509, "é" * 10_000, "!" * 600, "a b" * 10_000]
    assert differing([*joined, *mixed, *long], program) == []


def test_bytes_that_are_not_utf_8_are_left_out(run, artifact, tokenizer):
    chance = random.Random(6)
    texts = [chance.randbytes(chance.randrange(50)).replace(b"\n", b"") for _ in range(5_000)]
    found = run("ids-sanitized", artifact / "vocab.txt", 512, given=b"".join(text + b"\n" for text in texts))
    assert (found.returncode, found.stderr) == (0, b"")
    wanted = tokenizer.encode_batch([text.decode("utf-8", "replace") for text in texts])
    assert [line.split() for line in found.stdout.decode().splitlines()] == [
        [str(token) for token in encoding.ids] for encoding in wanted
    ]
