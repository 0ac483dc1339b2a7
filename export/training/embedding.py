"""Train a head on sentence embeddings: one logistic regression a label, by scikit-learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from core.decisions import decide, macro_f1
from export.training.tuning import tune

# scikit-learn's inverse regularization strengths to choose from, and its limit of L-BFGS iterations.
REGULARIZATION_GRID = (1.0, 3.0, 10.0, 30.0, 100.0)
MAX_ITERATIONS = 2000


def choose(
    train: tuple[NDArray[np.float32], NDArray[np.bool_]],
    dev: tuple[NDArray[np.float32], NDArray[np.bool_]],
    advance: Callable[[], None],
) -> tuple[float, list[LogisticRegression]]:
    """Fit on embeddings `[n, h]` and truth bool `[n, labels]`; choose the regularization on dev.

    Returns:
        The strength, one for all labels, with the best macro-F1 on dev at thresholds tuned there; and
        a classifier a label.
    """
    candidates = []
    for strength in REGULARIZATION_GRID:
        classifiers = [
            LogisticRegression(C=strength, max_iter=MAX_ITERATIONS).fit(train[0], column)
            for column in train[1].T
        ]
        positive = [classifier.predict_proba(dev[0])[:, 1] for classifier in classifiers]
        probabilities = np.stack(positive, axis=1).astype(np.float32)
        decided = decide(probabilities, tune(dev[1], probabilities))
        candidates.append((macro_f1(dev[1], decided), strength, classifiers))
        advance()
    _, strength, classifiers = max(candidates, key=lambda candidate: candidate[0])
    return strength, classifiers
