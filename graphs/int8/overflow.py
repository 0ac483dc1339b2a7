"""Overflow channels: carry what exceeds the shared clipping range.

Rounding to u8 cuts a channel after GELU off at r, where all share one scale. What is above is what another
channel GELU(x - r) holds, because GELU(x) is close to max(x, 0); cut off in its turn, a third one
GELU(x - 2 r) holds the rest. All read the same weights and are read by the same weights, so that a product is
wider by a few columns, and the next one by as many rows, and the graph has no node more. One that has little
to hold is multiplied by a gain before GELU, and its weights divided by it: where it begins, GELU and
max(x, 0) differ by at most 0.17, and by a share of that.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core.build.plan import ActivationPlan, OverflowChannels, Range
from core.errors import GraphError
from graphs.edit import ops
from graphs.int8 import activations
from graphs.int8.activations import Activation

_LARGEST_GAIN = 8.0
_HALVINGS = 60


def _counts(high_k: NDArray[np.float64], held: float) -> NDArray[np.int64]:
    """Return how many overflow channels each channel needs."""
    counts: NDArray[np.int64] = np.maximum(np.ceil(high_k / held) - 1, 0).astype(np.int64)
    return counts


def choose(high_k: NDArray[np.float32], count: int) -> tuple[np.float32, OverflowChannels]:
    """Return the least value at which all channels can be cut off, and the overflow channels for it.

    Args:
        high_k: float32 `[k]`, what each channel is to reach.
        count: overflow channels to have at most, in all.
    """
    high = high_k.astype(np.float64)
    low, held = 0.0, float(high.max())
    for _ in range(_HALVINGS):
        middle = (low + held) / 2
        if _counts(high, middle).sum() <= count:
            held = middle
        else:
            low = middle
    counts = _counts(high, held)
    channels = np.repeat(np.arange(len(high)), counts)
    numbers = np.concatenate([np.arange(1, n + 1) for n in counts]) if len(channels) else np.zeros(0)
    starts = numbers * held
    gains = np.clip(held / np.maximum(high[channels] - starts, 1e-9), 1.0, _LARGEST_GAIN)
    return np.float32(held), OverflowChannels(
        tuple(channels.tolist()), starts.astype(np.float32), gains.astype(np.float32)
    )


def _widen(graph: ir.Graph, activation: Activation, plan: ActivationPlan) -> ActivationPlan:
    """Append an activation's overflow channels to the linear layers before and after GELU."""
    down, name = activation.linears[0], activation.name
    scaled = ops.producer(activation.value, "Mul", name)
    up = ops.producer(ops.read(ops.producer(ops.read(scaled), "Gelu", name)), "Gemm", name)
    channels, gain_o = list(plan.overflow.channels), plan.overflow.gain_o
    factors, weight, bias, out = (
        ops.array(node, index) for node, index in ((scaled, 1), (up, 1), (up, 2), (down, 1))
    )
    begun = (bias[channels] - plan.overflow.start_o) * gain_o
    ops.set_array(graph, scaled, 1, np.concatenate([factors, factors[channels]]))
    ops.set_array(graph, up, 1, np.concatenate([weight, weight[:, channels] * gain_o], axis=1))
    ops.set_array(graph, up, 2, np.concatenate([bias, begun]))
    ops.set_array(graph, down, 1, np.concatenate([out, out[channels] / gain_o[:, None]]))
    limits = plan.range
    low_k, high_k = (np.concatenate([ends, ends[channels]]) for ends in (limits.low_k, limits.high_k))
    # The whole channel's mean is in its own place: its overflow channels have the same rounded weights.
    mean_k = np.concatenate([limits.mean_k, np.zeros(len(channels), np.float32)])
    return replace(plan, range=Range(low_k, high_k, mean_k))


def widen(model: ir.Model, plans: dict[str, ActivationPlan]) -> dict[str, ActivationPlan]:
    """Give channels after GELU their overflow channels, in place, in a graph that `smooth` has scaled.

    In: `Gemm` (up), `Gelu`, `Mul`, `Gemm` (down). Out: the same nodes, wider by the overflow channels. What
    comes out is the same function only once its activations are rounded to u8, which cuts them off; then
    it differs from the original by at most 0.17 times a channel's weights where an overflow channel begins.

    Returns:
        The plans as the graph now has them: overflow channels behind the others.

    Raises:
        GraphError: an activation has overflow channels that cannot have any.
    """
    widened = dict(plans)
    for activation in activations.find(model):
        plan = plans[activation.name]
        if not plan.overflow.channels or plan.mode == "float":
            continue
        if activation.kind != activations.GELU or plan.mode != "int8":
            raise GraphError(
                f"{activation.name}: found overflow channels, expected them after GELU in mode int8 only"
            )
        widened[activation.name] = _widen(model.graph, activation, plan)
    return widened
