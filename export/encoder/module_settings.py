"""Hold the settings of sentence-transformers' modules to those that are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.errors import CheckpointError

# What a module after the pooling reads and what it gives.
SENTENCES = {"module_input_name": "sentence_embedding", "module_output_name": "sentence_embedding"}


def refuse_unknown(path: Path, content: dict[str, Any], known: set[str]) -> None:
    """Check that a file has no other keys.

    Raises:
        CheckpointError: it has; the message names the first.
    """
    unknown = sorted(set(content) - known)
    if unknown:
        reason = "unknown, and it could change embeddings; take it out of a copy if it does not"
        raise CheckpointError(f"{path}: {unknown[0]}: {reason}")


def check_sentences(path: Path, config: dict[str, Any]) -> None:
    """Check that a module reads the sentence embedding and gives it.

    Raises:
        CheckpointError: it does not.
    """
    for key, expected in SENTENCES.items():
        if config.get(key, expected) != expected:
            raise CheckpointError(f"{path}: {key}: found {config[key]!r}, expected {expected!r}")
