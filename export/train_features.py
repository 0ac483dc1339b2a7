"""Training a linear head on features: one layer for all labels, by gradient descent in torch.

Every choice is made on dev: the weight decay, the weight of rare labels and the thresholds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray

from export.tuning import macro_f1_across_halves

# AdamW's decoupled weight decay (arXiv 1711.05101), and the power of 1 / frequency that weighs positives.
WEIGHT_DECAYS = (2.0, 3.0)
RARITY_POWERS = (0.0, 0.25)
SEEDS = (0, 1, 2)
FITS = len(WEIGHT_DECAYS) * len(RARITY_POWERS) * len(SEEDS)
_EPOCHS = 20
_BATCH_SIZE = 1024
_LEARNING_RATE = 1e-3
# Of the features' median: a maximum that is nearly always the same token's would get a weight of 1e5,
# and float32 rounding with it.
_SMALLEST_DEVIATION = 0.2


@dataclass(frozen=True)
class Settings:
    """What is chosen on dev."""

    weight_decay: float
    rarity_power: float

    def __str__(self) -> str:
        return f"weight decay {self.weight_decay:g}, rarity power {self.rarity_power:g}"


@dataclass(frozen=True)
class Linear:
    """Logistic regressions on raw features: weight float64 `[features, labels]`, bias `[labels]`."""

    weight_fl: NDArray[np.float64]
    bias_l: NDArray[np.float64]

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 `[n, labels]`."""
        logits = features @ self.weight_fl.astype(np.float32) + self.bias_l.astype(np.float32)
        return (1 / (1 + np.exp(-logits))).astype(np.float32)


@dataclass(frozen=True)
class Candidate:
    """One choice of settings: macro-F1 across halves of dev, of each seed."""

    settings: Settings
    scores: list[float]
    heads: list[Linear]

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return float(np.mean(self.scores))


def fit(features: NDArray[np.float32], truth: NDArray[np.bool_], settings: Settings, seed: int) -> Linear:
    """Fit on features `[n, f]` and truth bool `[n, labels]`.

    Features are standardized, which then goes into the weights. Binary cross-entropy, summed over the
    labels; AdamW with a cosine schedule. The same bits for the same seed on one kind of machine.
    """
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    deviation = np.maximum(deviation, _SMALLEST_DEVIATION * np.median(deviation))
    x, y = torch.from_numpy((features - mean) / deviation), torch.from_numpy(truth.astype(np.float32))
    frequency = truth.mean(axis=0).clip(1 / len(truth), 1 - 1 / len(truth))
    positive = torch.from_numpy((frequency**-settings.rarity_power).astype(np.float32))
    weight = torch.zeros((x.shape[1], y.shape[1]), requires_grad=True)
    start = np.log(frequency / (1 - frequency)).astype(np.float32)
    bias = torch.from_numpy(start).requires_grad_()
    optimizer = torch.optim.AdamW(
        [
            {"params": [weight], "weight_decay": settings.weight_decay},
            {"params": [bias], "weight_decay": 0.0},
        ],
        lr=_LEARNING_RATE,
    )
    steps = _EPOCHS * -(-len(x) // _BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    loss = torch.nn.BCEWithLogitsLoss(pos_weight=positive, reduction="sum")
    random = torch.Generator().manual_seed(seed)
    for _ in range(_EPOCHS):
        for rows in torch.split(torch.randperm(len(x), generator=random), _BATCH_SIZE):
            optimizer.zero_grad()
            (loss(x[rows] @ weight + bias, y[rows]) / len(rows)).backward()
            optimizer.step()
            schedule.step()
    found = weight.detach().numpy().astype(np.float64) / deviation[:, None]
    return Linear(found, bias.detach().numpy().astype(np.float64) - mean.astype(np.float64) @ found)


def choose(
    train: tuple[NDArray[np.float32], NDArray[np.bool_]],
    dev: tuple[NDArray[np.float32], NDArray[np.bool_]],
    advance: Callable[[], None],
) -> list[Candidate]:
    """Fit every setting with every seed; return them, the best on dev first."""
    found = []
    for decay, power in product(WEIGHT_DECAYS, RARITY_POWERS):
        heads, scores = [], []
        for seed in SEEDS:
            head = fit(*train, Settings(decay, power), seed)
            scores.append(macro_f1_across_halves(dev[1], head.probabilities(dev[0])))
            heads.append(head)
            advance()
        found.append(Candidate(Settings(decay, power), scores, heads))
    return sorted(found, key=lambda candidate: -candidate.mean)
