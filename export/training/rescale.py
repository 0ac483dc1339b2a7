"""Calibration: a label's logits stretched and moved where that makes its probabilities truer.

Platt scaling (Platt 1999): `scale * logit + shift`, fitted by logistic regression. It is
monotone, so it changes no ranking, and it folds into the label's weights.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

_HALVINGS = 10


def log_loss(truth: NDArray[np.bool_], logit: NDArray[np.float64]) -> float:
    """Return the mean negative log-likelihood of one label, `[n]` each."""
    return float(np.logaddexp(0.0, np.where(truth, -logit, logit)).mean())


def _fit(truth: NDArray[np.bool_], logit: NDArray[np.float64]) -> tuple[float, float]:
    """Return scale and shift; 1 and 0 where there is nothing to fit."""
    if truth.all() or not truth.any():
        return 1.0, 0.0
    fitted = LogisticRegression(C=np.inf, max_iter=1000).fit(logit[:, None], truth)
    scale, shift = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    # A falling line would turn the ranking round: then it says nothing.
    return (scale, shift) if scale > 0 else (1.0, 0.0)


def rescaling(truth: NDArray[np.bool_], logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return scale and shift of each label, `[labels, 2]`; (1, 0) where rescaling does not pay.

    It pays where a fit on one half of the texts lowers the log loss of the other, both ways, in each of
    ten random halvings (seeded).

    Args:
        truth: bool `[n, labels]`.
        logits: float64 `[n, labels]`.
    """
    random = np.random.default_rng(0)
    halves = [random.random(len(truth)) < 0.5 for _ in range(_HALVINGS)]
    found = np.tile([1.0, 0.0], (truth.shape[1], 1))
    for label, (wanted, logit) in enumerate(zip(truth.T, logits.T, strict=True)):
        gains = []
        for half in halves:
            before = after = 0.0
            for fitted, judged in ((half, ~half), (~half, half)):
                scale, shift = _fit(wanted[fitted], logit[fitted])
                before += log_loss(wanted[judged], logit[judged])
                after += log_loss(wanted[judged], scale * logit[judged] + shift)
            gains.append(before - after)
        if min(gains) > 0:
            found[label] = _fit(wanted, logit)
    return found
