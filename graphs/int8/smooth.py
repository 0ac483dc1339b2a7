"""Smooth each activation: bring it to units of its own quantization scale, at no or little cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core.build.plan import ActivationPlan, QuantizationPlan, Range
from core.errors import GraphError
from graphs.edit import names, ops
from graphs.edit.chain import Chain
from graphs.int8 import activations
from graphs.int8.activations import Activation
from graphs.int8.readers import feature, residual, take_up
from graphs.int8.scales import scales_of

Channels = NDArray[np.float32]


def _norm(graph: ir.Graph, activation: Activation, offset_k: Channels, scale_k: Channels) -> None:
    """Let a normalization's gamma and beta carry its output's scale and offset."""
    producer = ops.producer(activation.value, "LayerNormalization", activation.name)
    rows = activation.rows
    for value in (activation.value, *(rows.outputs[:1] if rows is not None else ())):
        for use in list(value.uses()):
            if use.node is not rows and use.node not in activation.linears:
                (feature if names.of_feature(use.node) else residual)(graph, use, offset_k, scale_k)
    ops.set_array(graph, producer, 1, ops.array(producer, 1) / scale_k)
    ops.set_array(graph, producer, 2, (ops.array(producer, 2) - offset_k) / scale_k)


def _beta_and_gamma(activation: Activation, plan: ActivationPlan) -> tuple[Channels, Channels]:
    """Return beta and gamma: offset and unit of a normalization's output, as it is before them."""
    name = activation.name
    if activation.kind != activations.NORM:
        raise GraphError(f"{name}: found normalized, expected it of a normalization's output only")
    if plan.mode != "int8":
        raise GraphError(f"{name}: found normalized in mode {plan.mode}, expected mode int8")
    producer = ops.producer(activation.value, "LayerNormalization", name)
    gamma, beta = ops.array(producer, 1), ops.array(producer, 2)
    if not (gamma > 0).all():
        raise GraphError(f"{name}: normalized: found a gamma of {gamma.min():g}, expected all above 0")
    return beta, gamma


def _context(graph: ir.Graph, activation: Activation, offset_k: Channels, scale_k: Channels) -> None:
    """Let the value projection's columns carry the context's scale and offset."""
    projection, width = names.value_projection(graph, activation.layer), activation.width
    # Weights of an attention sum to 1, so an offset of the values is one of the context.
    weight, bias = ops.array(projection, 1).copy(), ops.array(projection, 2).copy()
    weight[:, -width:] /= scale_k
    bias[-width:] = (bias[-width:] - offset_k) / scale_k
    ops.set_array(graph, projection, 1, weight)
    ops.set_array(graph, projection, 2, bias)


def _gelu(graph: ir.Graph, activation: Activation, scale_k: Channels) -> None:
    """Multiply what comes out of GELU, which has no weights that could."""
    down = activation.linears[0]
    chain = Chain(graph, down, activation.name)
    scaled = chain.add("Mul", [activation.value, chain.constant("per_step", 1 / scale_k)], "steps")
    down.replace_input_with(0, scaled)


def _order(width: int, channels: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the channels with some moved behind the others."""
    return np.concatenate([np.setdiff1d(np.arange(width), channels), np.array(channels, np.int64)])


def _aside(graph: ir.Graph, activation: Activation, channels: tuple[int, ...]) -> None:
    """Multiply some channels after GELU in float32; they come last, and the int8 product passes over them."""
    down, width = activation.linears[0], activation.width
    gelu = ops.producer(activation.value, "Gelu", activation.name)
    up = ops.producer(ops.read(gelu), "Gemm", activation.name)
    order, kept = _order(width, channels), width - len(channels)
    ops.set_array(graph, up, 1, ops.array(up, 1)[:, order])
    ops.set_array(graph, up, 2, ops.array(up, 2)[order])
    out = ops.array(down, 1)[order]
    chain = Chain(graph, down, f"{down.name}_float")
    ends = [chain.integers(name, [at]) for name, at in (("start", kept), ("end", width), ("axis", 1))]
    side = chain.add("Slice", [activation.value, *ends], "channels")
    weight = chain.constant("weight", out[kept:].copy())
    joined = ops.node("Gemm", [side, weight, down.outputs[0]], f"{down.name}{names.JOINED}")
    graph.insert_after(down, joined)
    for use in [use for use in down.outputs[0].uses() if use.node is not joined]:
        use.node.replace_input_with(use.idx, joined.outputs[0])
    out[kept:] = 0
    ops.set_array(graph, down, 1, out)


def _ordered(plan: ActivationPlan) -> ActivationPlan:
    """Return what is left of an activation in one int8 product: its channels as `_aside` orders them."""
    order = _order(len(plan.range.low_k), plan.float_channels)
    kept = len(order) - len(plan.float_channels)
    # Weights of 0 read the last ones: any range will do, and that of another keeps a shared scale shared.
    order[kept:] = order[0]
    split = tuple(np.searchsorted(order[:kept], plan.split_channels).tolist())
    limits = Range(*(ends[order] for ends in vars(plan.range).values()))
    return replace(plan, float_channels=(), split_channels=split, range=limits)


def _reduced(model: ir.Model, plan: QuantizationPlan) -> dict[str, ActivationPlan]:
    """Slice float channels off, in place; return the plans of what is left."""
    present = activations.find(model)
    expected, names_present = list(plan.activations), [activation.name for activation in present]
    if names_present != expected:
        raise GraphError(f"the plan has activations {expected}, the graph {names_present}")
    reduced = dict(plan.activations)
    for activation in present:
        own = reduced[activation.name]
        if len(own.range.low_k) != activation.width:
            raise GraphError(
                f"{activation.name}: found {len(own.range.low_k)} channels, expected {activation.width}"
            )
        if own.float_channels and own.mode != "float":
            _aside(model.graph, activation, own.float_channels)
            reduced[activation.name] = _ordered(own)
    return reduced


def smooth(model: ir.Model, plan: QuantizationPlan) -> dict[str, ActivationPlan]:
    """Bring each activation that the plan quantizes to units of its scale, in place.

    In: a packed graph. Out: the same function. A normalization's gamma and beta carry its output's
    scale and offset, and the residual that reads it too has a `Mul`; of a normalized activation it is gamma
    and beta themselves that go to the readers (arXiv 2209.13325). The value projection's columns carry the
    context's; after GELU there is a `Mul`. Float channels are sliced off for a small product of their own.
    Weights' rows take the scales up, biases the offsets. Exact up to rounding.

    Returns:
        The plans as the graph now has them: float channels last, and of no weight.

    Raises:
        GraphError: the graph's activations are not the plan's, or one is to be what it cannot.
    """
    graph, reduced = model.graph, _reduced(model, plan)
    # Found again: their weights are others.
    for activation in activations.find(model):
        own = reduced[activation.name]
        if own.mode == "float":
            continue
        offset_k, scale_k = scales_of(own, activation.kind)
        if own.normalized:
            offset_k, scale_k = _beta_and_gamma(activation, own)
        if activation.kind == activations.NORM:
            _norm(graph, activation, offset_k, scale_k)
        elif activation.kind == activations.CONTEXT:
            _context(graph, activation, offset_k, scale_k)
        else:
            _gelu(graph, activation, scale_k)
        for linear in activation.linears:
            take_up(graph, linear, offset_k, scale_k)
    ops.remove_unused(model)
    return reduced
