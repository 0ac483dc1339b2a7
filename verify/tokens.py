"""Texts to token ids, with an artifact's own `tokenizer.json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from export.contract import ArtifactError


def encode(path: Path, texts: Sequence[str]) -> list[list[int]]:
    """Return each text's token ids, truncated as the artifact says.

    Raises:
        ArtifactError: `path` is not a tokenizer.
    """
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the Rust side raises the bare Exception
        raise ArtifactError(f"{path}: not a tokenizer: {error}") from error
    return [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
