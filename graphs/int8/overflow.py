"""Clipped parts: channels after GELU that a step shared by all cannot hold, as sums of ones that it can.

Rounding to u8 cuts a channel off at r. What is above is what another channel GELU(x - r) holds, because
GELU(x) is close to max(x, 0); cut off in its turn, a third one GELU(x - 2 r) holds the rest. All read the
same weights and are read by the same weights, so that a product is wider by a few columns, and the next
one by as many rows, and the graph has no node more. A part that has little to hold is multiplied by a gain
before GELU, and its weights divided by it: where it begins, GELU and max(x, 0) differ by at most 0.17, and
by a share of that.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core.build.plan import Parts, Range, Site
from core.errors import GraphError
from graphs.int8 import activations
from graphs.int8.readers import array
from graphs.int8.readers import replace as replace_constant

_LARGEST_GAIN = 8.0
_HALVINGS = 60


def _counts(high_k: NDArray[np.float64], held: float) -> NDArray[np.int64]:
    """Return how many parts each channel needs besides itself."""
    counts: NDArray[np.int64] = np.maximum(np.ceil(high_k / held) - 1, 0).astype(np.int64)
    return counts


def choose(high_k: NDArray[np.float32], count: int) -> tuple[np.float32, Parts]:
    """Return the least value at which all channels can be cut off, for at most so many parts; and these.

    Args:
        high_k: float32 `[k]`, what each channel is to reach.
        count: parts to have at most, in all.
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
    parts = Parts(tuple(channels.tolist()), starts.astype(np.float32), gains.astype(np.float32))
    return np.float32(held), parts


def _before(node: ir.Node | None) -> ir.Node | None:
    return node.inputs[0].producer() if node is not None and node.inputs[0] is not None else None


def _widen(graph: ir.Graph, nodes: activations.SiteNodes, site: Site) -> Site:
    """Append a site's parts to the linear layers before and after GELU."""
    down, steps = nodes.linears[0], nodes.value.producer()
    gelu = _before(steps)
    up = _before(gelu)
    if steps is None or steps.op_type != "Mul" or up is None or up.op_type != "Gemm":
        raise GraphError(f"{nodes.name}: expected a linear layer, GELU and its steps before it")
    channels, gain_p = list(site.parts.channels), site.parts.gain_p
    per_step = array(steps, 1)
    replace_constant(graph, steps, 1, np.concatenate([per_step, per_step[channels]]))
    weight, bias, out = array(up, 1), array(up, 2), array(down, 1)
    begun = (bias[channels] - site.parts.start_p) * gain_p
    replace_constant(graph, up, 1, np.concatenate([weight, weight[:, channels] * gain_p], axis=1))
    replace_constant(graph, up, 2, np.concatenate([bias, begun]))
    replace_constant(graph, down, 1, np.concatenate([out, out[channels] / gain_p[:, None]]))
    limits = site.range
    low_k, high_k = (np.concatenate([ends, ends[channels]]) for ends in (limits.low_k, limits.high_k))
    # The whole channel's mean is in its first part's place: both have the same rounded weights.
    mean_k = np.concatenate([limits.mean_k, np.zeros(len(channels), np.float32)])
    return replace(site, range=Range(low_k, high_k, mean_k))


def widen(model: ir.Model, plan_sites: dict[str, Site]) -> dict[str, Site]:
    """Give channels after GELU their parts, in place, in a graph that `smooth` has brought to steps.

    What comes out is the same function only once its activations are rounded to u8, which cuts them off.

    Returns:
        The sites as the graph now has them: parts behind the other channels.

    Raises:
        GraphError: a site has parts that cannot have any.
    """
    found = dict(plan_sites)
    for nodes in activations.find(model):
        site = plan_sites[nodes.name]
        if not site.parts.channels or site.mode == "float":
            continue
        if nodes.kind != activations.GELU or site.mode != "int8":
            raise GraphError(f"{nodes.name}: found clipped parts, expected them after GELU in mode int8 only")
        found[nodes.name] = _widen(model.graph, nodes, site)
    return found
