"""Prove a fold: compare it with the original head on embeddings that would show a difference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

FOLD_TOLERANCE = 1e-6
_PROBES = 256
_HUGE = 1e4
# Embeddings near each label's boundary, the spread of their logits, and the roundings of a sum.
_NEAR, _SMALL_LOGIT, _ROUNDINGS = 32, 4.0, 8.0
# A logit, or a lead before the second, from which on rounding of huge products turns nothing.
_CLEAR = 30.0

Floats = NDArray[np.float64]
Head = Callable[[NDArray[np.floating]], tuple[Floats, Floats]]


def probe_count(features: int) -> int:
    """Return how many embeddings `probes` has."""
    return _PROBES + 2 * features + 3


def probes(features: int) -> NDArray[np.float32]:
    """Return embeddings to try a head on, `[n, features]`: random ones of norm 1, the axes, zeros."""
    random = np.random.default_rng(0).standard_normal((_PROBES, features))
    random /= np.linalg.norm(random, axis=1, keepdims=True)
    axes = np.eye(features)
    constant = np.full((1, features), features**-0.5)
    zeros = np.zeros((1, features))
    return np.concatenate([random, axes, -axes, constant, -constant, zeros]).astype(np.float32)


def _near_boundaries(weight_hl: NDArray[np.float32], bias_l: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return embeddings where each label in turn has a small logit, whatever its bias."""
    random = np.random.default_rng(1)
    found = []
    for weight, bias in zip(weight_hl.T.astype(np.float64), bias_l, strict=True):
        norm = max(float(np.linalg.norm(weight)), float(np.finfo(np.float32).tiny))
        steps = random.standard_normal((_NEAR, len(weight))) * (_SMALL_LOGIT / norm)
        found.append(steps - bias * weight / norm**2)
    return np.concatenate(found).astype(np.float32)


def _sigmoids(z: Floats, magnitude: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return probabilities, what rounding of sums of this magnitude can change, and what is clear."""
    folded = 1 / (1 + np.exp(-np.clip(z, -100, 100)))
    # Sigmoid's slope is p (1 - p); both sides round their sums.
    return folded, magnitude * folded * (1 - folded), abs(z) > _CLEAR + magnitude


def _softmax(z: Floats, magnitude: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """As `_sigmoids`, for the softmax over columns."""
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    folded = powers / powers.sum(axis=1, keepdims=True)
    # dp_i = p_i (dz_i - sum of p_j dz_j)
    shared = (folded * magnitude).sum(axis=1, keepdims=True) - folded * magnitude
    ordered = np.sort(z, axis=1)
    lead = ordered[:, -1:] - ordered[:, -2:-1]
    clear = np.broadcast_to(lead > _CLEAR + 2 * magnitude.max(axis=1, keepdims=True), z.shape)
    return folded, folded * ((1 - folded) * magnitude + shared), clear


def prove(
    head: Head, weight_hl: NDArray[np.float32], bias_l: NDArray[np.float32], *, softmax: bool = False
) -> float:
    """Compare a fold with the original head on random and extreme embeddings.

    Embeddings of norm 1 (random ones, axes, the direction of every label's weights) and some near each
    label's boundary must agree everywhere, but for what rounding the products' sum can do; embeddings
    of norm 1e4 wherever the logit is beyond what their rounding can turn.

    Returns:
        The largest `|Δprobability|` beyond rounding; it is a proof where it is at most
        `FOLD_TOLERANCE`.
    """
    norms = np.maximum(np.linalg.norm(weight_hl, axis=0), np.finfo(np.float32).tiny)
    directions = (weight_hl / norms).T
    unit = np.concatenate([probes(len(weight_hl)), directions, -directions])
    eps = float(np.finfo(np.float32).eps)
    link = _softmax if softmax else _sigmoids
    worst = 0.0
    near, far = _near_boundaries(weight_hl, bias_l), (unit * _HUGE).astype(np.float32)
    for huge, embeddings in ((False, unit), (False, near), (True, far)):
        z = (embeddings @ weight_hl + bias_l).astype(np.float64)
        magnitude = (abs(embeddings) @ abs(weight_hl) + abs(bias_l)).astype(np.float64) * eps
        # Products of float32 cancel: of huge ones below this, the sign itself is rounding.
        folded, slope, clear = link(z, magnitude * (len(weight_hl) if huge else 1))
        error = np.maximum(abs(folded - head(embeddings)[1]) - _ROUNDINGS * slope, 0.0)
        worst = max(worst, float((error[clear] if huge else error).max(initial=0.0)))
    return worst
