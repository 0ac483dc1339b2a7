"""Make the plan that a search starts from: every activation in one int8 term, its ranges balanced."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core.build.plan import ActivationPlan, OverflowChannels, QuantizationPlan, Range
from graphs.edit import ops
from graphs.int8 import activations, overflow
from graphs.int8.activations import Activation
from graphs.int8.calibration import Observed
from graphs.int8.rounding import COPIES
from graphs.int8.scales import HALF_LEVELS
from graphs.search.schemes import FULL, Scheme

# One channel in 96 after GELU is multiplied in float32: 16 of 1536.
_FLOAT_SHARE = 96
# One overflow channel for 16 channels after GELU: 96 for 1536.
_OVERFLOW_SHARE = 16
# So many channels are split where each step takes a quarter off the error; at most one in 24. A copy
# is multiplied and stored like any channel: more of them cost more than they give.
_SPLITS = (2, 4)
_SPLIT_SHARE = 24
_SPLIT_GAIN = 0.75
_EXPONENTS = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.5)
_ACTIVATION_LEVELS = 254


def _weight(activation: Activation) -> NDArray[np.float64]:
    """Return the weights `[k, n]` of all that reads an activation, side by side."""
    return np.concatenate([ops.array(node, 1) for node in activation.linears], axis=1).astype(np.float64)


def _float_channels(activation: Activation, limits: Range, weight_kn: NDArray[np.float64]) -> tuple[int, ...]:
    """Return the channels after GELU whose scales would disturb the output most."""
    count = activation.width // _FLOAT_SHARE if activation.kind == activations.GELU else 0
    score = (limits.high_k - limits.low_k) * np.sqrt((weight_kn**2).sum(axis=1))
    return tuple(sorted(np.argsort(-score, kind="stable")[:count].tolist()))


def _balanced(
    observed: Observed, weight_kn: NDArray[np.float64], keep: list[int], split: tuple[int, ...]
) -> tuple[float, Range]:
    """Widen the narrow channels' ranges as far as it lessens the output's expected squared error.

    SmoothQuant (arXiv 2211.10438) moves a channel's range into its row of the weight; all of it
    makes the activation's error least and the weight's largest. The exponent between is chosen for
    the error of what leaves the layer: of the rounding of activations, scale² / 12 · w², and of weights.

    Returns:
        Twelve times that error, and the range.
    """
    limits = observed.range
    scale = (limits.high_k - limits.low_k).astype(np.float64) / _ACTIVATION_LEVELS
    centre = (limits.high_k.astype(np.float64) + limits.low_k) / 2
    spread = observed.square_k - 2 * centre * limits.mean_k + centre**2
    limit_k = np.full(len(scale), HALF_LEVELS)
    limit_k[list(split)] *= COPIES
    weight = weight_kn[keep]
    best: tuple[float, NDArray[np.float64]] = (np.inf, scale)
    for exponent in _EXPONENTS:
        widened = scale.max() * (scale / scale.max()) ** exponent
        kept = widened[keep]
        scale_n = np.abs(weight * (kept / limit_k[keep])[:, None]).max(axis=0)
        of_weights = (spread[keep] / kept**2).sum() * (scale_n**2).sum()
        of_activations = (kept**2 * (weight**2).sum(axis=1)).sum()
        if of_weights + of_activations < best[0]:
            best = (of_weights + of_activations, widened)
    half = best[1] * _ACTIVATION_LEVELS / 2
    low, high = centre - half, centre + half
    return best[0], Range(low.astype(np.float32), high.astype(np.float32), limits.mean_k)


def _split(
    observed: Observed, weight_kn: NDArray[np.float64], keep: list[int], scheme: Scheme
) -> tuple[tuple[int, ...], Range]:
    """Return the channels to split where that pays, and the balanced range."""
    span = (observed.range.high_k - observed.range.low_k).astype(np.float64)
    rows = span**2 * (weight_kn**2).mean(axis=1)
    kept = set(keep)
    order = [index for index in np.argsort(-rows, kind="stable").tolist() if index in kept]
    error, limits = _balanced(observed, weight_kn, keep, ())
    chosen: tuple[int, ...] = ()
    for count in _SPLITS if scheme.form == "full" else ():
        split = tuple(sorted(order[: min(count, len(rows) // _SPLIT_SHARE)]))
        less, narrowed = _balanced(observed, weight_kn, keep, split)
        if less < _SPLIT_GAIN * error:
            error, limits, chosen = less, narrowed, split
    return chosen, limits


def _shared(limits: Range, keep: list[int], scheme: Scheme, share: float) -> tuple[Range, OverflowChannels]:
    """Return one range for all channels after GELU, in a share of the largest one's, and what exceeds it."""
    reached, made = np.float32(share) * limits.high_k, OverflowChannels()
    high = reached[keep].max()
    if scheme.form == "parts":
        high, made = overflow.choose(reached, len(reached) // _OVERFLOW_SHARE)
    return Range(np.minimum(limits.low_k, 0), np.full_like(limits.high_k, high), limits.mean_k), made


def _normalized(activation: Activation, limits: Range) -> ActivationPlan | None:
    """Return a normalization's output as it is before gamma and beta, in one range; None: it cannot be."""
    producer = activation.value.producer()
    if activation.kind != activations.NORM or producer is None:
        return None
    gamma, beta = ops.array(producer, 1), ops.array(producer, 2)
    if not (gamma > 0).all():
        return None
    low_k, high_k, mean_k = ((ends - beta) / gamma for ends in (limits.low_k, limits.high_k, limits.mean_k))
    one_range = Range(np.full_like(low_k, low_k.min()), np.full_like(high_k, high_k.max()), mean_k)
    return ActivationPlan("int8", (), (), one_range, normalized=True)


def _planned(activation: Activation, observed: Observed, scheme: Scheme) -> ActivationPlan:
    if scheme.form == "bare" and (plan := _normalized(activation, observed.range)) is not None:
        return plan
    weight_kn = _weight(activation)
    channels = _float_channels(activation, observed.range, weight_kn) if scheme.float_channels else ()
    keep = [index for index in range(activation.width) if index not in channels]
    split, limits = _split(observed, weight_kn, keep, scheme)
    made = OverflowChannels()
    if scheme.gelu_share is not None and activation.kind == activations.GELU:
        limits, made = _shared(observed.range, keep, scheme, scheme.gelu_share)
    return ActivationPlan("int8", channels, split, limits, made)


def initial_plan(
    model: ir.Model,
    observed: dict[str, Observed],
    encoder_sha256: str,
    head_sha256: str,
    scheme: Scheme = FULL,
) -> QuantizationPlan:
    """Return the plan with every activation in one int8 term, in some scheme.

    Raises:
        GraphError: the graph is not packed.
    """
    planned = {
        activation.name: _planned(activation, observed[activation.name], scheme)
        for activation in activations.find(model)
    }
    return QuantizationPlan(encoder_sha256, head_sha256, planned, {})
