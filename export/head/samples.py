"""What the outputs of a head answer to a few embeddings: their shapes and kinds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import HeadError
from export.head.layout import SCORES


def is_array(answer: Any) -> bool:
    """Whether an output answers with a tensor."""
    return isinstance(answer, np.ndarray)


def dtype(answer: Any) -> np.dtype[Any]:
    """Return the type of the numbers of an answer; dictionaries hold float32."""
    first = answer[0] if isinstance(answer, list) else answer
    return np.dtype(np.float32) if isinstance(first, dict) else np.asarray(first).dtype


def is_answer(found: list[Any]) -> bool:
    """Whether a sequence is of dictionaries or numbers; an empty one is, of nothing."""
    return not found or isinstance(found[0], dict) or np.asarray(found[0]).dtype.kind == "f"


def between_0_and_1(answer: Any) -> bool:
    """Whether all numbers of an answer may be probabilities."""
    values = np.asarray(answer, np.float64)
    return bool(((values >= -1e-3) & (values <= 1 + 1e-3)).all())


def decisions(samples: Mapping[str, Any], count: int) -> str | None:
    """Return the one output `[N, count]` of integers or truths, if there is one."""
    found = [
        name
        for name, answer in samples.items()
        if is_array(answer) and answer.ndim == 2 and answer.dtype.kind in "ib"
        if answer.shape[1] == count > 1
    ]
    return found[0] if len(found) == 1 else None


def check_range(path: Path, output: str, answer: Any) -> None:
    """Check that an output's answers may be probabilities.

    Raises:
        HeadError: they are scores.
    """
    if not between_0_and_1(answer):
        told = SCORES.format(float(np.min(answer)), float(np.max(answer)))
        raise HeadError(f"{path}: output {output}: {told}")
