"""Evaluation on GoEmotions: precision, recall and F1 per label, macro and weighted averages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Metrics:
    """Per label, in label order, float64 `[labels]`; `support` counts the true ones."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]

    def average(self, weighted: bool) -> tuple[float, float, float]:
        """Return precision, recall and F1 over the labels: plain (macro), or weighted by support."""
        weights = self.support if weighted else np.ones_like(self.support)
        total = max(int(weights.sum()), 1)
        precision, recall, f1 = (
            float((values * weights).sum() / total) for values in (self.precision, self.recall, self.f1)
        )
        return precision, recall, f1

    def averages(self) -> dict[str, dict[str, float]]:
        """Return both averages as `evaluation.json` and the model card have them."""
        names = ("precision", "recall", "f1")
        return {
            kind: dict(zip(names, self.average(weighted), strict=True))
            for kind, weighted in (("macro", False), ("weighted", True))
        }


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    """Divide; 0 where there is nothing to divide by, as scikit-learn's `zero_division=0`."""
    return np.where(whole > 0, part / np.maximum(whole, 1), 0.0)


def metrics(truth: NDArray[np.bool_], decisions: NDArray[np.bool_]) -> Metrics:
    """Compare decisions with the truth, both bool `[n, labels]`."""
    true_positive = (truth & decisions).sum(axis=0)
    predicted, support = decisions.sum(axis=0), truth.sum(axis=0)
    return Metrics(
        precision=_ratio(true_positive, predicted),
        recall=_ratio(true_positive, support),
        f1=_ratio(2 * true_positive, predicted + support),
        support=support,
    )


def truth_of(labels: Sequence[str], annotated: Sequence[frozenset[str]]) -> NDArray[np.bool_]:
    """Return annotations as bool `[n, labels]`."""
    return np.array([[label in given for label in labels] for given in annotated], bool)


def as_rows(
    labels: Sequence[str], thresholds: dict[str, float], found: Metrics
) -> list[dict[str, float | int | str]]:
    """Return one row a label, as JSON and the model card have them."""
    return [
        {
            "label": label,
            "threshold": thresholds[label],
            "precision": float(found.precision[index]),
            "recall": float(found.recall[index]),
            "f1": float(found.f1[index]),
            "support": int(found.support[index]),
        }
        for index, label in enumerate(labels)
    ]
