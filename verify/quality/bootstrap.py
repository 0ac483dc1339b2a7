"""The bootstrap over texts: how far a difference in macro-F1 is from chance.

Both contenders are measured on the same resamples, so what a resample does to both drops out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# What the percentile interval leaves out, half of it on each side.
_LEVEL = 0.05


class Interval(NamedTuple):
    """A mean over resamples, and the interval that 95 % of them are in."""

    mean: float
    low: float
    high: float


def resamples(texts: int, repeats: int, seed: int) -> NDArray[np.float64]:
    """Return how often each text is drawn, float64 `[repeats, texts]`; a row's sum is `texts`."""
    random = np.random.default_rng(seed)
    drawn = [np.bincount(random.integers(0, texts, texts), minlength=texts) for _ in range(repeats)]
    return np.array(drawn, np.float64)


def macro_f1(
    truth: NDArray[np.bool_], decisions: NDArray[np.bool_], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return macro-F1 in each resample, `[repeats]`; 0 for a label without positives or predictions.

    Args:
        truth: bool `[n, labels]`.
        decisions: bool `[n, labels]`.
        weights: of `resamples`, `[repeats, n]`.
    """
    both = weights @ (truth & decisions)
    either = weights @ truth.astype(np.float64) + weights @ decisions.astype(np.float64)
    found: NDArray[np.float64] = (2 * both / np.maximum(either, 1)).mean(axis=1)
    return found


def interval(values: NDArray[np.float64]) -> Interval:
    """Return the mean of resampled values and their percentile interval."""
    low, high = np.quantile(values, [_LEVEL / 2, 1 - _LEVEL / 2])
    return Interval(float(values.mean()), float(low), float(high))
