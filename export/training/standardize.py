"""Standardizing features for a fit, and bringing what was fitted back to the features as they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Of the features' median: a maximum that is nearly always the same token's would get a weight of 1e5,
# and float32 rounding with it.
_SMALLEST_DEVIATION = 0.2


@dataclass(frozen=True)
class Linear:
    """Logistic regressions on raw features: weight float64 `[features, labels]`, bias `[labels]`."""

    weight_fl: NDArray[np.float64]
    bias_l: NDArray[np.float64]

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 `[n, labels]`."""
        found: NDArray[np.float32] = features @ self.weight_fl.astype(np.float32)
        return found + self.bias_l.astype(np.float32)


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
        found: NDArray[np.float32] = parts - along[..., None] * self.constant_ph
        return found.reshape(array_nf.shape)

    def apply(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what is fitted on, `[n, f]`."""
        return self.without_constants((features - self.mean_f) / self.deviation_f)

    def undo(self, weight_fl: NDArray[np.float32], bias_l: NDArray[np.float32]) -> Linear:
        """Return the same function of the features as they are."""
        found = self.without_constants(weight_fl.T).T.astype(np.float64) / self.deviation_f[:, None]
        return Linear(found, bias_l.astype(np.float64) - self.mean_f.astype(np.float64) @ found)
