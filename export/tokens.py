"""Texts to token ids, with the checkpoint's own `tokenizer.json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from export import safe_tokenizer
from export.contract import CheckpointError


def load(path: Path, max_length: int) -> Tokenizer:
    """Read `tokenizer.json` and make it truncate at `max_length` tokens and never pad.

    Raises:
        CheckpointError: not a tokenizer.
    """
    tokenizer = safe_tokenizer.load(path, CheckpointError)
    # Published tokenizers carry the padding and truncation of whoever saved them last.
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length)
    return tokenizer


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Return each text's token ids, special tokens included."""
    return [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
