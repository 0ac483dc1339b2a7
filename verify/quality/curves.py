"""Compute the precision-recall and reliability curves of one label, for the report's plots.

Forty lines of numpy and not scikit-learn, which only `export` and `bench` may import: whoever verifies an
artifact needs nothing that trains a head. A test holds the figures equal to scikit-learn's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision and recall of `score >= threshold` for every score that occurs, rising thresholds.

    `precision` and `recall` are float64 `[k + 1]`, `thresholds` float64 `[k]`: the last point is
    precision 1 at recall 0, as in scikit-learn. Without positives, recall is 1 throughout.
    """

    precision: Floats
    recall: Floats
    thresholds: Floats

    @property
    def average_precision(self) -> float:
        """The area under the steps: precision weighted by the recall that it adds."""
        return float(-(np.diff(self.recall) * self.precision[:-1]).sum())


def precision_recall(truth: NDArray[np.bool_], scores: NDArray[np.float32]) -> PrecisionRecall:
    """Return the curve of one label; `truth` bool `[n]`, `scores` float32 `[n]`, n at least 1."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order].astype(np.float64)
    # One point for texts of equal score: the last of them.
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    true_positive = np.cumsum(truth[order])[last]
    positives = true_positive[-1]
    recall = true_positive / positives if positives else np.ones(len(last))
    return PrecisionRecall(
        np.append((true_positive / (last + 1))[::-1], 1.0),
        np.append(recall[::-1], 0.0),
        ranked[last][::-1],
    )


@dataclass(frozen=True)
class Reliability:
    """Ten bins of equal width: texts int64, mean probability and share of true ones float64 `[bins]`.

    The means of an empty bin are 0. `error` is the expected calibration error: the mean distance of
    the two, weighted by texts.
    """

    counts: NDArray[np.int64]
    predicted: Floats
    observed: Floats
    error: float


def reliability(truth: NDArray[np.bool_], probabilities: NDArray[np.float32]) -> Reliability:
    """Return the reliability of one label; `truth` bool `[n]`, `probabilities` float32 `[n]` in 0 to 1."""
    wide = probabilities.astype(np.float64)
    index = np.minimum((wide * BINS).astype(np.int64), BINS - 1)
    counts = np.bincount(index, minlength=BINS)
    divisor = np.maximum(counts, 1)
    predicted = np.bincount(index, wide, BINS) / divisor
    observed = np.bincount(index, truth.astype(np.float64), BINS) / divisor
    error = float((abs(predicted - observed) * counts).sum() / max(len(wide), 1))
    return Reliability(counts, predicted, observed, error)
