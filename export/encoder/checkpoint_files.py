"""Reading the JSON files of a checkpoint: objects, sizes, the limit of tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.errors import CheckpointError
from core.untrusted import json_file


def read_json(path: Path) -> Any:
    """Read a JSON file of a checkpoint.

    Raises:
        CheckpointError: it cannot be read, or is not JSON.
    """
    return json_file.read(path, CheckpointError)


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON file of a checkpoint that holds one object.

    Raises:
        CheckpointError: it cannot be read, is not JSON, or holds something else.
    """
    found = read_json(path)
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: found {type(found).__name__}, expected an object")
    return found


def size(path: Path, config: dict[str, Any], key: str, limit: int) -> int:
    """Return a positive whole number of a config.

    Raises:
        CheckpointError: it is missing, something else, or over the limit.
    """
    found = config.get(key)
    if not isinstance(found, int) or isinstance(found, bool) or not 1 <= found <= limit:
        raise CheckpointError(
            f"{path}: {key}: found {found!r}, expected a positive whole number, at most {limit:,}"
        )
    return found


def own_limit(folder: Path, positions: int) -> int:
    """Return the checkpoint's own limit of tokens, from where sentence-transformers keeps it."""
    # Since release 6 in the tokenizer's config; a tokenizer without a limit states an absurd one.
    for name, key in (
        ("sentence_bert_config.json", "max_seq_length"),
        ("tokenizer_config.json", "model_max_length"),
    ):
        path = folder / name
        stated = read_object(path).get(key) if path.is_file() else None
        if stated is None:
            continue
        if not isinstance(stated, int | float) or isinstance(stated, bool) or stated < 1:
            raise CheckpointError(f"{path}: {key}: found {stated!r}, expected a positive whole number")
        return int(min(stated, positions))
    return positions
