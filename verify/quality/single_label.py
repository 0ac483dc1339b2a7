"""Measure single-label decisions: accuracy, macro-F1, and how many texts are answered at all.

A text that no label is chosen for is a wrong answer of its own label's recall, and of the accuracy. By up to
three protocols:

- ``packaged``: the graph's own decisions, on test.
- ``always``: the label with the highest probability, whatever the thresholds, on test; left out where the
  graph has none, since it is the same.
- ``dev``: the graph's own decisions, on dev.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.contract import SINGLE_LABEL, ProblemType
from core.errors import DatasetError

PACKAGED = "packaged"
ALWAYS = "always"
DEV = "dev"
TITLES = {
    PACKAGED: "what the graph decides, on test",
    ALWAYS: "the highest probability, whatever the thresholds, on test",
    DEV: "what the graph decides, on dev",
}


def measured(truth: NDArray[np.bool_], split: str, problem_type: ProblemType) -> NDArray[np.bool_]:
    """Return which texts a graph is measured on, bool `[n]`: a single-label one on those with one label.

    Raises:
        DatasetError: there is none.
    """
    if problem_type != SINGLE_LABEL:
        return np.ones(len(truth), np.bool_)
    kept: NDArray[np.bool_] = truth.sum(axis=1) == 1
    if not kept.any():
        raise DatasetError(
            f"{split}: found no text with exactly one label among {len(truth)}, expected some: the "
            "artifact is single-label"
        )
    return kept


def figures(truth: NDArray[np.bool_], decided: NDArray[np.bool_]) -> dict[str, float]:
    """Return `accuracy`, `answered` (share of texts) and `accuracy_answered`; both bool `[n, labels]`."""
    right, answered = (truth & decided).any(axis=1), decided.any(axis=1)
    return {
        "accuracy": float(right.mean()),
        "answered": float(answered.mean()),
        "accuracy_answered": float(right.sum() / max(answered.sum(), 1)),
    }


def described(protocol: Mapping[str, Any]) -> str:
    """Return a protocol's accuracy in words."""
    words = f"accuracy {protocol['accuracy']:.3f}"
    if protocol["answered"] < 1:
        among = f"{protocol['accuracy_answered']:.3f} of those"
        words += f"; answers {protocol['answered']:.1%} of the texts, {among} right"
    return words
