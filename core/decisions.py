"""Decide from probabilities, and measure decisions against the truth.

Multi-label: a label holds where `probability >= threshold`, both float32. Single-label: the label with the
highest probability, the first of equals, and none where that one is below its threshold; 0 is below nothing.
These are the rules of an artifact's graph. Whatever compares in float64 decides otherwise where a
probability is the float32 next to its threshold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.contract import SINGLE_LABEL, ProblemType

Floats = NDArray[np.float64]
# A float32 softmax of many labels, and a pair of no and yes, add up to 1 within this.
SUM_TOLERANCE = 1e-5


def threshold_vector(thresholds: Mapping[str, float], labels: Sequence[str]) -> NDArray[np.float32]:
    """Return thresholds in the order of `labels`, float32 `[labels]`."""
    return np.array([thresholds[label] for label in labels], np.float32)


def decide(
    probabilities: NDArray[np.floating], thresholds: NDArray[np.floating], problem_type: ProblemType
) -> NDArray[np.bool_]:
    """Return the decisions, bool like `probabilities`; both are compared as float32.

    Args:
        probabilities: `[n, labels]`; of a multi-label problem any shape.
        thresholds: `[labels]`; of a multi-label problem any that broadcasts.
        problem_type: says which rule.
    """
    given = probabilities.astype(np.float32)
    reached = np.greater_equal(given, thresholds.astype(np.float32))
    return reached & chosen(given) if problem_type == SINGLE_LABEL else reached


def chosen(probabilities: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return one true a row, the highest, the first of equals; bool `[n, labels]`, as `probabilities`."""
    winner: NDArray[np.intp] = probabilities.argmax(axis=-1)
    first: NDArray[np.bool_] = np.arange(probabilities.shape[-1]) == winner[..., None]
    return first


def truth_of(labels: Sequence[str], annotated: Sequence[frozenset[str]]) -> NDArray[np.bool_]:
    """Return which texts have which of `labels`, bool `[n, labels]`."""
    return np.array([[label in names for label in labels] for names in annotated], bool)


def log_odds(negative: NDArray[np.floating], positive: NDArray[np.floating]) -> NDArray[Any]:
    """Return the logits of probability pairs; ±87.3, from float32's smallest number, stands for infinity."""
    tiny = np.finfo(np.float32).tiny
    odds: NDArray[Any] = np.log(np.maximum(positive, tiny)) - np.log(np.maximum(negative, tiny))
    return odds


def log_probabilities(probabilities: NDArray[np.floating]) -> NDArray[Any]:
    """Return the logits of a softmax, but for a constant a row; -87.3 stands for minus infinity."""
    logits: NDArray[Any] = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny))
    return logits


def log_softmax(logits: Floats) -> Floats:
    """Return the logarithms of each row's softmax, `[n, labels]`."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    normalized: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normalized


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Divide; 0 where there is nothing to divide by, as scikit-learn's `zero_division=0`."""
    return np.divide(part, whole, out=np.zeros(part.shape), where=np.broadcast_to(whole > 0, part.shape))


class Counts(NamedTuple):
    """How many texts are true and predicted, predicted, and true: float64, one number a label, say.

    Any shapes that broadcast to that of `true_positives`.
    """

    true_positives: Floats
    predicted: Floats
    support: Floats

    def precision(self) -> Floats:
        """Return precision; 0 where nothing is predicted."""
        return _ratio(self.true_positives, self.predicted)

    def recall(self) -> Floats:
        """Return recall; 0 where nothing is true."""
        return _ratio(self.true_positives, self.support)

    def f_beta(self, beta: float = 1.0) -> Floats:
        """Return F-beta, F1 by default; 0 where nothing is true and nothing predicted."""
        square = beta * beta
        return _ratio((1 + square) * self.true_positives, self.predicted + square * self.support)

    def averages(self) -> dict[str, dict[str, float]]:
        """Return precision, recall and F1: of all `[labels]` together (micro), and as their means.

        The means are plain (macro), and weighted by support.
        """
        figures = {"precision": self.precision(), "recall": self.recall(), "f1": self.f_beta()}
        weights = {"macro": np.ones(len(self.support)), "weighted": self.support}
        together = Counts(*(part.sum() for part in self))
        micro = {"precision": together.precision(), "recall": together.recall(), "f1": together.f_beta()}
        return {
            kind: {name: float((values * w).sum() / max(w.sum(), 1)) for name, values in figures.items()}
            for kind, w in weights.items()
        } | {"micro": {name: float(value) for name, value in micro.items()}}


def count(truth: NDArray[np.bool_], decisions: NDArray[np.bool_], weights: Floats | None = None) -> Counts:
    """Compare decisions with the truth, both bool `[n, labels]`.

    Args:
        weights: `[r, n]`, how often each text counts in each of r draws; left out, once.

    Returns:
        Counts `[labels]`, or `[r, labels]` with weights.
    """
    rows = np.ones(len(truth)) if weights is None else weights
    both, predicted, true = (
        rows @ array.astype(np.float64) for array in (truth & decisions, decisions, truth)
    )
    return Counts(both, predicted, true)


def macro_f1(truth: NDArray[np.bool_], decisions: NDArray[np.bool_]) -> float:
    """Return the mean of the labels' F1; `[n, labels]` both."""
    return float(count(truth, decisions).f_beta().mean())
