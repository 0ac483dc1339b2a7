"""Texts to token ids, with the checkpoint's own `tokenizer.json`."""

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
    tokenizer = tokenizer_file.load(path, CheckpointError)
    # Published tokenizers carry the padding and truncation of whoever saved them last.
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length)
    return tokenizer


def encode(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Return each text's token ids, special tokens included."""
    return [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
