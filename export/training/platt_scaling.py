"""Platt scaling: stretch and move a label's logits where that makes its probabilities truer.

`scale * logit + shift` (Platt 1999), fitted by logistic regression. It is monotone, so it changes no ranking,
and it folds into the label's weights.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from export.training.tuning import random_halves


def log_loss(truth: NDArray[np.bool_], logit: NDArray[np.float64]) -> float:
    """Return the mean negative log-likelihood of one label, `[n]` each."""
    return float(np.logaddexp(0.0, np.where(truth, -logit, logit)).mean())


def _fit_label(truth: NDArray[np.bool_], logit: NDArray[np.float64]) -> tuple[float, float]:
    """Return scale and shift; 1 and 0 where there is nothing to fit."""
    if truth.all() or not truth.any():
        return 1.0, 0.0
    fitted = LogisticRegression(C=np.inf, max_iter=1000).fit(logit[:, None], truth)
    scale, shift = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    # A falling line would turn the ranking round: then it says nothing.
    return (scale, shift) if scale > 0 else (1.0, 0.0)


def fit(truth: NDArray[np.bool_], logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return scale and shift of each label, `[labels, 2]`; (1, 0) where scaling does not pay.

    It pays where a fit on one half of the texts lowers the log loss of the other, both ways, in each of
    ten random halvings (seeded).

    Args:
        truth: bool `[n, labels]`.
        logits: float64 `[n, labels]`.
    """
    halves = random_halves(len(truth))
    fitted = np.tile([1.0, 0.0], (truth.shape[1], 1))
    for label, (wanted, logit) in enumerate(zip(truth.T, logits.T, strict=True)):
        gains = []
        for half in halves:
            before = after = 0.0
            for fitted_on, judged in ((half, ~half), (~half, half)):
                scale, shift = _fit_label(wanted[fitted_on], logit[fitted_on])
                before += log_loss(wanted[judged], logit[judged])
                after += log_loss(wanted[judged], scale * logit[judged] + shift)
            gains.append(before - after)
        if min(gains) > 0:
            fitted[label] = _fit_label(wanted, logit)
    return fitted
