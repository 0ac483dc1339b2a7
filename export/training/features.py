"""Train a linear head on features: one layer for all labels, by gradient descent in torch.

The weight decay and the weight of rare labels are chosen on train, out of fold: eight times the texts of
dev, and a rare label has a hundred of them there, not a dozen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits

from export.training.tuning import macro_f1_across_halves, sigmoid

# Of one split: features float32 `[n, f]`, and the truth, bool `[n, labels]`.
Examples = tuple[NDArray[np.float32], NDArray[np.bool_]]

# AdamW's decoupled weight decay (arXiv 1711.05101), and the power of 1 / frequency that weighs positives.
WEIGHT_DECAYS = (3.0, 5.0)
RARITY_POWERS = (0.0, 0.25)
# Of the focal loss (arXiv 1708.02002); 0, which is binary cross-entropy, is what the others are chosen with.
FOCUSES = (1.0,)
SEEDS = (0, 1, 2)
FOLDS = 5
FITS = (len(WEIGHT_DECAYS) * len(RARITY_POWERS) + len(FOCUSES)) * FOLDS + len(SEEDS)
_EPOCHS = 20
_BATCH_SIZE = 1024
_LEARNING_RATE = 1e-3
# Of the features' median: a maximum that is nearly always the same token's would get a weight of 1e5,
# and float32 rounding with it.
_SMALLEST_DEVIATION = 0.2


@dataclass(frozen=True)
class Settings:
    """What is chosen out of fold."""

    weight_decay: float
    rarity_power: float
    focus: float = 0.0

    def __str__(self) -> str:
        loss = f"focal loss of {self.focus:g}" if self.focus else "cross-entropy"
        return f"weight decay {self.weight_decay:g}, rarity power {self.rarity_power:g}, {loss}"


@dataclass(frozen=True)
class Candidate:
    """One choice of settings: macro-F1 across halves of train, and the logits there, out of fold."""

    settings: Settings
    score: float
    logits: NDArray[np.float32]


@dataclass(frozen=True)
class Linear:
    """Logistic regressions on raw features: weight float64 `[features, labels]`, bias `[labels]`."""

    weight_fl: NDArray[np.float64]
    bias_l: NDArray[np.float64]

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 `[n, labels]`."""
        logits: NDArray[np.float32] = features @ self.weight_fl.astype(np.float32)
        return logits + self.bias_l.astype(np.float32)


@dataclass(frozen=True)
class Standard:
    """How features become what is fitted on: standardized, and without each part's constant.

    `constant_ph` is the direction of mean / deviation in each part of the features, `[parts, h]`, of
    length 1. Weights along it would multiply a part's large, constant mean, and cancel the others';
    what is fitted has none, so float32 logits are as exact as on the embedding.
    """

    mean_f: NDArray[np.float32]
    deviation_f: NDArray[np.float32]
    constant_ph: NDArray[np.float32]

    @staticmethod
    def of(features: NDArray[np.float32], parts: int) -> Standard:
        """Measure features `[n, f]` of `parts` equal parts."""
        mean, deviation = features.mean(axis=0), features.std(axis=0)
        deviation = np.maximum(deviation, _SMALLEST_DEVIATION * np.median(deviation))
        constant = (mean / deviation).reshape(parts, -1)
        length = np.linalg.norm(constant, axis=1, keepdims=True)
        return Standard(mean, deviation, constant / np.maximum(length, np.finfo(np.float32).tiny))

    def without_constants(self, array_nf: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take each part's constant direction out of `[n, f]`."""
        parts = array_nf.reshape(len(array_nf), *self.constant_ph.shape)
        along = np.einsum("nph,ph->np", parts, self.constant_ph)
        kept: NDArray[np.float32] = parts - along[..., None] * self.constant_ph
        return kept.reshape(array_nf.shape)

    def apply(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what is fitted on, `[n, f]`."""
        return self.without_constants((features - self.mean_f) / self.deviation_f)

    def undo(self, weight_fl: NDArray[np.float32], bias_l: NDArray[np.float32]) -> Linear:
        """Return the same function of the features as they are."""
        raw_fl = self.without_constants(weight_fl.T).T.astype(np.float64) / self.deviation_f[:, None]
        return Linear(raw_fl, bias_l.astype(np.float64) - self.mean_f.astype(np.float64) @ raw_fl)


def _loss(logits: torch.Tensor, truth: torch.Tensor, positive: torch.Tensor, focus: float) -> torch.Tensor:
    """Return the sum of cross-entropy, each times (1 - probability of what is true) ** `focus`."""
    if not focus:
        return binary_cross_entropy_with_logits(logits, truth, pos_weight=positive, reduction="sum")
    entropy = binary_cross_entropy_with_logits(logits, truth, pos_weight=positive, reduction="none")
    missed = torch.where(truth > 0, torch.sigmoid(-logits), torch.sigmoid(logits))
    return (missed**focus * entropy).sum()


def fit(
    features: NDArray[np.float32], truth: NDArray[np.bool_], parts: int, settings: Settings, seed: int
) -> Linear:
    """Fit on features `[n, f]`, of `parts` equal parts, and truth bool `[n, labels]`.

    Features are standardized, which then goes into the weights. Binary cross-entropy or focal loss, summed
    over the labels; AdamW with a cosine schedule. The same bits for the same seed on one kind of machine.
    """
    standard = Standard.of(features, parts)
    x, y = torch.from_numpy(standard.apply(features)), torch.from_numpy(truth.astype(np.float32))
    frequency = truth.mean(axis=0).clip(1 / len(truth), 1 - 1 / len(truth))
    positive = torch.from_numpy((frequency**-settings.rarity_power).astype(np.float32))
    weight = torch.zeros((x.shape[1], y.shape[1]), requires_grad=True)
    start = np.log(frequency / (1 - frequency)).astype(np.float32)
    bias = torch.from_numpy(start).requires_grad_()
    decayed = {"params": [weight], "weight_decay": settings.weight_decay}
    free = {"params": [bias], "weight_decay": 0.0}
    optimizer = torch.optim.AdamW([decayed, free], lr=_LEARNING_RATE)
    steps = _EPOCHS * -(-len(x) // _BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    random = torch.Generator().manual_seed(seed)
    for _ in range(_EPOCHS):
        for rows in torch.split(torch.randperm(len(x), generator=random), _BATCH_SIZE):
            optimizer.zero_grad()
            loss = _loss(x[rows] @ weight + bias, y[rows], positive, settings.focus)
            torch.autograd.backward(loss / len(rows))
            optimizer.step()
            schedule.step()
    return standard.undo(weight.detach().numpy(), bias.detach().numpy())


def out_of_fold(
    train: Examples, parts: int, settings: Settings, advance: Callable[[], None]
) -> NDArray[np.float32]:
    """Return logits `[n, labels]` of train's texts, each by a head fitted on the other folds."""
    features, truth = train
    fold = np.random.default_rng(0).permutation(len(truth)) % FOLDS
    logits = np.zeros(truth.shape, np.float32)
    for index in range(FOLDS):
        head = fit(features[fold != index], truth[fold != index], parts, settings, SEEDS[0])
        logits[fold == index] = head.logits(features[fold == index])
        advance()
    return logits


def choose(train: Examples, parts: int, advance: Callable[[], None]) -> list[Candidate]:
    """Fit the settings out of fold; return them, the best first.

    Weight decay and rarity are chosen with cross-entropy, then other losses with what was best.

    `parts` is how many poolings the features are, side by side.
    """

    def judged(settings: Settings) -> Candidate:
        logits = out_of_fold(train, parts, settings, advance)
        return Candidate(settings, macro_f1_across_halves(train[1], sigmoid(logits)), logits)

    def best_first(candidates: list[Candidate]) -> list[Candidate]:
        return sorted(candidates, key=lambda candidate: -candidate.score)

    unfocused = best_first([judged(Settings(*pair)) for pair in product(WEIGHT_DECAYS, RARITY_POWERS)])
    focused = [judged(replace(unfocused[0].settings, focus=focus)) for focus in FOCUSES]
    return best_first(unfocused + focused)
