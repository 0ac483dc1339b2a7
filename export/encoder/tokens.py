"""Tokenize texts with the checkpoint's own `tokenizer.json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from core.errors import CheckpointError
from core.untrusted import tokenizer_file


def load(path: Path, max_length: int) -> Tokenizer:
    """Read `tokenizer.json` and make it truncate at `max_length` tokens and never pad.

    Raises:
        CheckpointError: not a tokenizer.
    """
    return tokenizer_file.load(path, CheckpointError, max_length)


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Return each text's token ids, special tokens included."""
    return [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
