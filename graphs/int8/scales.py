"""Compute the scales of an activation, what its rounding divides by, and where zero lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.build.plan import ActivationPlan
from graphs.int8 import activations

# Levels to either side of the centre, and the highest one.
HALF_LEVELS, MIDDLE, LAST_LEVEL = 127, 128, 255
# After GELU: its least value is -0.17; levels below zero where each channel has its own scale.
GELU_LEAST = 0.17
GELU_ZERO_POINT = 20


def zero_point(plan: ActivationPlan, kind: str) -> int:
    """Return the u8 that stands for an activation's offset."""
    if kind == activations.GELU:
        return gelu_zero_point(plan)
    if not plan.normalized:
        return MIDDLE
    low, high = float(plan.range.low_k[0]), float(plan.range.high_k[0])
    return int(np.clip(np.rint(-low * LAST_LEVEL / (high - low)), 0, LAST_LEVEL))


def gelu_zero_point(plan: ActivationPlan) -> int:
    """Return how many levels after GELU are below zero: no more than its least value needs."""
    high_k = plan.range.high_k
    if not (high_k == high_k[0]).all():
        return GELU_ZERO_POINT
    return int(np.ceil(GELU_LEAST * LAST_LEVEL / (float(high_k[0]) + GELU_LEAST)))


def scales_of(plan: ActivationPlan, kind: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return an activation's offset and scale per channel: `(x - offset) / scale` is what is rounded."""
    low_k, high_k = plan.range.low_k, plan.range.high_k
    if plan.normalized:
        scale_k = (high_k - low_k) / np.float32(LAST_LEVEL)
        return np.zeros_like(scale_k), scale_k
    if kind != activations.GELU:
        half = (high_k - low_k) / np.float32(2)
        scale_k = half / np.float32(HALF_LEVELS)
        # Levels lie alike to both sides of the offset.
        scale_k[list(plan.negated)] *= -1
        return (high_k + low_k) / np.float32(2), scale_k
    zero = gelu_zero_point(plan)
    scale_k = np.maximum(high_k / np.float32(LAST_LEVEL - zero), GELU_LEAST / zero)
    return np.zeros_like(scale_k), scale_k.astype(np.float32)


def shared_scale(plan: ActivationPlan, kind: str) -> np.float32:
    """Return the one scale of all channels, where they have one: rounding itself divides by it."""
    _, scale_k = scales_of(plan, kind)
    of_gelu = kind == activations.GELU and plan.mode == "int8" and bool((scale_k == scale_k[0]).all())
    return scale_k[0] if plan.normalized or of_gelu else np.float32(1)


def mean_of(plan: ActivationPlan, kind: str) -> NDArray[np.float32]:
    """Return the mean of a smoothed activation: in levels, or as normalized."""
    if plan.normalized:
        return plan.range.mean_k
    offset_k, scale_k = scales_of(plan, kind)
    return (plan.range.mean_k - offset_k) / scale_k
