"""Tune thresholds on the grid of the published card, and judge a head by macro-F1 at them.

On the grid, and not as `core.thresholds` would by default: the settings and thresholds of this project's own
head were chosen so, and another choice is another head. `make thresholds` chooses others for a build.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core import thresholds
from core.contract import MULTI_LABEL
from core.decisions import Floats, decide, macro_f1

_HALVINGS = 10


def sigmoid(logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return probabilities, float32; logits beyond ±80 are as good as those."""
    probabilities: NDArray[np.float32] = (1 / (1 + np.exp(-np.clip(logits, -80, 80)))).astype(np.float32)
    return probabilities


def tune(truth: NDArray[np.bool_], probabilities: NDArray[np.float32]) -> Floats:
    """Return the thresholds of the grid 0.05 … 0.95 with the best F1, the lowest of equals, `[labels]`."""
    grid = thresholds.GRID
    counts = (thresholds.count(*column, grid) for column in zip(truth.T, probabilities.T, strict=True))
    return np.array([thresholds.best(grid, of_label) for of_label in counts])


def random_halves(texts: int) -> list[NDArray[np.bool_]]:
    """Return ten random halvings of the texts, seeded: bool `[texts]` each."""
    random = np.random.default_rng(0)
    return [random.random(texts) < 0.5 for _ in range(_HALVINGS)]


def macro_f1_across_halves(truth: NDArray[np.bool_], probabilities: NDArray[np.float32]) -> float:
    """Return macro-F1 with thresholds that were tuned on other texts.

    The texts are halved at random, ten times; each half is decided with the thresholds of the other, and F1
    is of the two halves' decisions together.
    """
    scores = []
    for half in random_halves(len(truth)):
        decisions = np.zeros_like(truth)
        for tuned, decided in ((half, ~half), (~half, half)):
            limits = tune(truth[tuned], probabilities[tuned])
            decisions[decided] = decide(probabilities[decided], limits, MULTI_LABEL)
        scores.append(macro_f1(truth, decisions))
    return float(np.mean(scores))
