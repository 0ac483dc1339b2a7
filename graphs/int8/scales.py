"""The steps of a site's activation: what its rounding divides by, and where zero lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core.build.plan import Site
from graphs.int8 import activations

# Steps to either side of the centre, and the highest one.
HALF_STEPS, MIDDLE, LAST_STEP = 127, 128, 255
# After GELU: its least value is -0.17; steps below zero where each channel has its own.
GELU_LEAST = 0.17
GELU_ZERO_POINT = 20


def _one_range(site: Site) -> bool:
    return bool((site.range.high_k == site.range.high_k[0]).all())


def zero_point(site: Site, kind: str) -> int:
    """Return the u8 that stands for an activation's offset."""
    if kind == activations.GELU:
        return gelu_zero_point(site)
    if not site.normalized:
        return MIDDLE
    low, high = float(site.range.low_k[0]), float(site.range.high_k[0])
    return int(np.clip(np.rint(-low * LAST_STEP / (high - low)), 0, LAST_STEP))


def gelu_zero_point(site: Site) -> int:
    """Return how many steps after GELU are below zero: no more than its least value needs."""
    if not _one_range(site):
        return GELU_ZERO_POINT
    return int(np.ceil(GELU_LEAST * LAST_STEP / (float(site.range.high_k[0]) + GELU_LEAST)))


def steps_of(site: Site, kind: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a site's offset and step per channel: `(x - offset) / step` is what is rounded."""
    limits = site.range
    if site.normalized:
        step = (limits.high_k - limits.low_k) / np.float32(LAST_STEP)
        return np.zeros_like(step), step
    if kind != activations.GELU:
        half = (limits.high_k - limits.low_k) / np.float32(2)
        return (limits.high_k + limits.low_k) / np.float32(2), half / np.float32(HALF_STEPS)
    zero = gelu_zero_point(site)
    step = np.maximum(limits.high_k / np.float32(LAST_STEP - zero), GELU_LEAST / zero)
    return np.zeros_like(step), step.astype(np.float32)


def shared_step(site: Site, kind: str) -> np.float32:
    """Return the one step of all channels, where they have one: rounding itself divides by it."""
    _, step = steps_of(site, kind)
    of_gelu = kind == activations.GELU and site.mode == "int8" and bool((step == step[0]).all())
    shared = site.normalized or of_gelu
    return step[0] if shared else np.float32(1)


def mean_of(site: Site, kind: str) -> NDArray[np.float32]:
    """Return the mean of a smoothed activation: in steps, or as normalized."""
    if site.normalized:
        return site.range.mean_k
    offset, step = steps_of(site, kind)
    return (site.range.mean_k - offset) / step
