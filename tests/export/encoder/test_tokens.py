"""Tokens, against transformers' own BertTokenizer."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer
from transformers import BertTokenizer

from core.errors import CheckpointError
from export.encoder import checkpoint

TEXTS = ["", "the a b c!", "abc", "the " * 100, "é ü ß", "a\tb\nc", "日本 🤣"]


@pytest.fixture
def bert(tiny, offline):
    return BertTokenizer.from_pretrained(tiny)


@pytest.mark.parametrize("limit", [3, 5, 64])
def test_ids_equal_transformers(tiny, bert, limit):
    found = checkpoint.encode(checkpoint.load_tokenizer(tiny / "tokenizer.json", limit), TEXTS)
    expected = [bert(text, truncation=True, max_length=limit)["input_ids"] for text in TEXTS]
    assert found == expected
    assert max(map(len, found)) == limit
    assert all(row[0] == 2 and row[-1] == 3 for row in found)


def test_ids_equal_transformers_on_minilm(minilm, offline):
    texts = [*TEXTS, "[SEP] [CLS] [MASK]", "Don't! naïve ≠ phone🤣", "\u202cＦｕｌｌ\u00a0width", "x" * 300]
    bert = BertTokenizer.from_pretrained(minilm)
    expected = [bert(text, truncation=True, max_length=50)["input_ids"] for text in texts]
    assert checkpoint.encode(checkpoint.load_tokenizer(minilm / "tokenizer.json", 50), texts) == expected


def test_the_savers_padding_and_truncation_are_gone(tiny):
    own = Tokenizer.from_file(str(tiny / "tokenizer.json"))
    assert own.padding["length"] == own.truncation["max_length"] == 16
    loaded = checkpoint.load_tokenizer(tiny / "tokenizer.json", 40)
    assert loaded.padding is None
    assert loaded.truncation["max_length"] == 40
    assert [len(row) for row in checkpoint.encode(loaded, ["", "the", "the " * 60])] == [2, 3, 40]


def test_no_texts(tiny):
    assert checkpoint.encode(checkpoint.load_tokenizer(tiny / "tokenizer.json", 40), []) == []


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"model": 1}', None])
def test_a_file_that_is_no_tokenizer(tmp_path, content):
    if content is not None:
        (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(
        CheckpointError, match=rf"^{tmp_path}/tokenizer\.json: (not a tokenizer: |cannot be read)"
    ):
        checkpoint.load_tokenizer(tmp_path / "tokenizer.json", 16)
