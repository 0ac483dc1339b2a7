"""Encode texts to token ids with an artifact's own `tokenizer.json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.build.reference import Reference
from core.errors import ArtifactError
from core.untrusted import tokenizer_file


def encode(path: Path, texts: Sequence[str]) -> list[list[int]]:
    """Return each text's token ids, truncated as the artifact says.

    Raises:
        ArtifactError: `path` is not a tokenizer.
    """
    return tokenizer_file.encode(tokenizer_file.load(path, ArtifactError), texts, path, ArtifactError)


def difference(path: Path, reference: Reference) -> str | None:
    """Compare a tokenizer with the ids that the reference was made from; None where all are the same.

    Raises:
        ArtifactError: `path` is not a tokenizer.
    """
    rows = zip(reference.texts, encode(path, reference.texts), reference.ids, strict=True)
    different = [(text, ids, expected) for text, ids, expected in rows if ids != expected]
    if not different:
        return None
    text, ids, expected = different[0]
    count = f"{path}: token_ids: {len(different)} of {len(reference.texts)} texts differ from the reference"
    if len(ids) != len(expected):
        return f"{count}; {text[:60]!r}: found {len(ids)} tokens, expected {len(expected)}"
    place = next(index for index, token in enumerate(ids) if token != expected[index])
    return f"{count}; {text[:60]!r}, token {place}: found {ids[place]}, expected {expected[place]}"
