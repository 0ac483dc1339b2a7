"""Choose the channels' order and signs with which pair-safe weights have the finest scales.

A pair of rows that do not fit in a column makes the whole column's scale coarser. What all columns would lose
by making two channels neighbours is counted for every two channels, and the pairs are exchanged until no
exchange of two lessens the sum.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core import pairs
from core.build.plan import ActivationPlan, QuantizationPlan
from graphs.edit import ops
from graphs.int8 import activations, channel_order, overflow
from graphs.int8.activations import Activation
from graphs.int8.scales import HALF_LEVELS
from graphs.int8.smooth import smooth

# The largest pair of a column decides: a sum of high powers stands for it.
_POWER = 6
_SWEEPS = 300
_LEAST_GAIN = 1e-9

Matrix = NDArray[np.float64]
Order = NDArray[np.int64]


def _losses(weight_kn: NDArray[np.float32]) -> tuple[Matrix, Matrix]:
    """Return what columns lose where two channels are neighbours, `[k, k]`: as they are, and one negated.

    A column's share is the square of its scale, of all columns'; a pair beyond 128 loses the more of it.
    """
    limit_n = abs(weight_kn).max(axis=0)
    units_kn = weight_kn / np.where(limit_n > 0, limit_n, 1) * HALF_LEVELS
    share_n = np.square(limit_n.astype(np.float64)) / max(
        float(np.square(limit_n).sum(dtype=np.float64)), 1e-30
    )
    width = len(weight_kn)
    same, opposite = np.zeros((width, width)), np.zeros((width, width))
    for units_k, share in zip(units_kn.T, share_n, strict=True):
        # Of a pair that does not fit, one is more than half.
        large, other = (np.nonzero(abs(units_k) > least)[0] for least in (pairs.MOST / 2, 1))
        size = (abs(units_k[large])[:, None] + abs(units_k[other])) / pairs.MOST
        loss = np.where(size > 1, size**_POWER - 1, 0) * share
        alike = np.sign(units_k[large])[:, None] == np.sign(units_k[other])
        place = np.ix_(large, other)
        same[place] += np.where(alike, loss, 0)
        opposite[place] += np.where(alike, 0, loss)
    # A pair of two large ones has been counted from both sides.
    return np.maximum(same, same.T), np.maximum(opposite, opposite.T)


def exchanged(loss: Matrix) -> Order:
    """Return an order of channels whose neighbours, 2i and 2i + 1, lose little together.

    Begins with the order as it is, and exchanges partners of two pairs, the best exchanges first, until none
    lessens the sum (2-opt). An odd channel stays last. Deterministic.

    Args:
        loss: float64 `[k, k]`, symmetric.
    """
    paired = np.arange(len(loss) // 2 * 2).reshape(-1, 2)
    for _ in range(_SWEEPS):
        first, second = paired.T
        lost = loss[first, second]
        before = lost[:, None] + lost
        straight = before - loss[np.ix_(first, first)] - loss[np.ix_(second, second)]
        crossed = before - loss[np.ix_(first, second)] - loss[np.ix_(second, first)]
        gain = np.triu(np.maximum(straight, crossed), 1)
        places = np.nonzero(gain > _LEAST_GAIN * max(float(lost.sum()), _LEAST_GAIN))
        if not len(places[0]):
            break
        free = np.ones(len(paired), bool)
        for index in np.argsort(-gain[places], kind="stable"):
            one, two = places[0][index], places[1][index]
            if free[one] and free[two]:
                free[[one, two]] = False
                (a, b), (c, d) = paired[one].tolist(), paired[two].tolist()
                swap = straight[one, two] >= crossed[one, two]
                paired[one], paired[two] = ((a, c), (b, d)) if swap else ((a, d), (b, c))
    return np.concatenate([paired.ravel(), np.arange(len(loss) // 2 * 2, len(loss))])


def _weight(activation: Activation) -> NDArray[np.float32]:
    weights = [ops.array(node, 1) for node in activation.linears]
    return np.concatenate(
        [weight / max(float(np.sqrt(np.square(weight).sum())), 1e-30) for weight in weights], axis=1
    )


def _negated(order: Order, same: Matrix, opposite: Matrix) -> tuple[int, ...]:
    """Return the channels whose pairs lose less with one of them negated."""
    first, second = order[: len(order) // 2 * 2].reshape(-1, 2).T
    return tuple(sorted(second[opposite[first, second] < same[first, second]].tolist()))


def _can_be_negated(activation: Activation, plan: ActivationPlan) -> bool:
    """Tell whether a scale below zero is nobody's concern: of a maximum it would be."""
    if plan.normalized or plan.mode == "float" or activation.kind == activations.GELU:
        return False
    seen, pending = set(), [use.node for use in activation.value.uses()]
    while pending:
        reader = pending.pop()
        if reader.op_type == "ReduceMax":
            return False
        if reader.op_type in ("Gather", "Where") and reader not in seen:
            seen.add(reader)
            pending += [use.node for use in reader.outputs[0].uses()]
    return True


def _within_heads(graph: ir.Graph, width: int) -> Matrix:
    head = np.arange(width) // channel_order.head_width(graph)
    return np.where(head[:, None] == head, 0.0, 1e6)


def _kept(order: Order, last: int) -> tuple[int, ...]:
    """Return an order, none where it is that of the channels as they are; `last` channels stay behind."""
    whole = [*order.tolist(), *range(len(order), len(order) + last)]
    return () if whole == list(range(len(whole))) else tuple(whole)


def paired(simplified: ir.Model, plan: QuantizationPlan) -> QuantizationPlan:
    """Return a plan with the orders and signs that fit pairs best.

    Channels after GELU are ordered a layer, those of a context within their heads, those of the hidden state
    once for all layers, where the graph allows it; signs are an activation's own.

    Raises:
        GraphError: the graph is not packed, or its activations are not the plan's.
    """
    bare = {name: replace(own, negated=(), order=()) for name, own in plan.activations.items()}
    plan = replace(plan, order=(), activations=bare, roundings={})
    model = simplified.clone()
    overflow.widen(model, smooth(model, plan))
    chosen = dict(plan.activations)
    norms: list[tuple[str, Matrix, Matrix, bool]] = []
    for activation in activations.find(model):
        own = chosen[activation.name]
        if own.mode == "float":
            continue
        free = activation.width - len(own.float_channels)
        same, opposite = _losses(_weight(activation)[:free])
        signed = _can_be_negated(activation, own)
        least = np.minimum(same, opposite) if signed else same
        if activation.kind == activations.NORM:
            norms.append((activation.name, same, opposite, signed))
            continue
        if activation.kind == activations.CONTEXT:
            least = least + _within_heads(model.graph, free)
        order = exchanged(least)
        negated = _negated(order, same, opposite) if signed else ()
        chosen[activation.name] = replace(own, order=_kept(order, len(own.float_channels)), negated=negated)
    if not norms:
        return replace(plan, activations=chosen)
    hidden = np.arange(len(norms[0][1]))
    if channel_order.can_reorder_hidden_state(model, len(hidden)):
        losses = [np.minimum(same, opposite) if signed else same for _, same, opposite, signed in norms]
        hidden = exchanged(np.sum(losses, axis=0))
    for name, same, opposite, signed in norms:
        if signed:
            chosen[name] = replace(chosen[name], negated=_negated(hidden, same, opposite))
    return replace(plan, activations=chosen, order=_kept(hidden, 0))
