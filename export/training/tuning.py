"""Thresholds on the grid of the published card, and macro-F1 with them, for choosing a head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

THRESHOLD_GRID = tuple(round(0.05 * step, 2) for step in range(1, 20))
_HALVINGS = 10


def sigmoid(logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return probabilities, float32; logits beyond ±80 are as good as those."""
    found: NDArray[np.float32] = (1 / (1 + np.exp(-np.clip(logits, -80, 80)))).astype(np.float32)
    return found


def f1(truth: NDArray[np.bool_], decisions: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return F1 of each label `[labels]`; 0 where a label is neither true nor decided."""
    hits = (truth & decisions).sum(axis=0)
    found: NDArray[np.float64] = 2 * hits / np.maximum(truth.sum(axis=0) + decisions.sum(axis=0), 1)
    return found


def tune(
    truth: NDArray[np.bool_], probabilities: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the thresholds of the grid 0.05 … 0.95 with the best F1, the lowest of equals, and it."""
    scores = np.stack([f1(truth, probabilities >= np.float32(limit)) for limit in THRESHOLD_GRID])
    return np.array(THRESHOLD_GRID)[scores.argmax(axis=0)], scores.max(axis=0)


def macro_f1_across_halves(truth: NDArray[np.bool_], probabilities: NDArray[np.float32]) -> float:
    """Return macro-F1 with thresholds that were tuned on other texts.

    The texts are halved at random, ten times (seeded); each half is decided with the thresholds of the
    other, and F1 is of the two halves' decisions together.
    """
    random = np.random.default_rng(0)
    found = []
    for _ in range(_HALVINGS):
        half = random.random(len(truth)) < 0.5
        decisions = np.zeros_like(truth)
        for tuned, decided in ((half, ~half), (~half, half)):
            limits, _ = tune(truth[tuned], probabilities[tuned])
            decisions[decided] = probabilities[decided] >= limits.astype(np.float32)
        found.append(f1(truth, decisions).mean())
    return float(np.mean(found))
