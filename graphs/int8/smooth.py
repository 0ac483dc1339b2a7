"""Smoothing: each activation in units of its own quantization step, at no or little cost. Exact."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core.build.plan import Mode, Plan, Range, Site
from core.errors import GraphError
from graphs.edit import ops
from graphs.edit.chain import Chain
from graphs.edit.names import LAYER
from graphs.int8 import activations
from graphs.int8.activations import SiteNodes
from graphs.int8.readers import JOINED, array, feature, replace, residual, take_up
from graphs.int8.scales import steps_of


def _normalization(site: SiteNodes) -> ir.Node:
    producer = site.value.producer()
    if producer is None or producer.op_type != "LayerNormalization":
        raise GraphError(f"{site.name}: expected a normalization before it")
    return producer


def _norm(graph: ir.Graph, site: SiteNodes, offset: NDArray[np.float32], step: NDArray[np.float32]) -> None:
    producer = _normalization(site)
    values = [site.value, *([site.rows.outputs[0]] if site.rows is not None else [])]
    for use in [use for value in values for use in value.uses()]:
        if use.node is not site.rows and use.node not in site.linears:
            undo = feature if str(use.node.name).startswith("feature_") else residual
            undo(graph, use.node, use.idx, offset, step)
    replace(graph, producer, 1, array(producer, 1) / step)
    replace(graph, producer, 2, (array(producer, 2) - offset) / step)


def _beta_and_gamma(site: SiteNodes, mode: Mode) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return beta and gamma: offset and unit of a normalization's output, as it is before them."""
    if site.kind != activations.NORM:
        raise GraphError(f"{site.name}: found normalized, expected it of a normalization's output only")
    if mode != "int8":
        raise GraphError(f"{site.name}: found normalized in mode {mode}, expected mode int8")
    producer = _normalization(site)
    gamma, beta = array(producer, 1), array(producer, 2)
    if not (gamma > 0).all():
        raise GraphError(f"{site.name}: normalized: found a gamma of {gamma.min():g}, expected all above 0")
    return beta, gamma


def _context(
    graph: ir.Graph, site: SiteNodes, offset: NDArray[np.float32], step: NDArray[np.float32]
) -> None:
    layer = LAYER.format(site.layer)
    named = {node.name: node for node in graph}
    projection = named.get(f"{layer}_qkv") or named.get(f"{layer}_key_value")
    if projection is None:
        raise GraphError(f"{site.name}: found no projection of its values")
    # Weights of an attention sum to 1, so an offset of the values is one of the context.
    weight, bias = array(projection, 1).copy(), array(projection, 2).copy()
    weight[:, -site.width :] /= step
    bias[-site.width :] = (bias[-site.width :] - offset) / step
    replace(graph, projection, 1, weight)
    replace(graph, projection, 2, bias)


def _order(width: int, channels: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the channels with some moved behind the others."""
    return np.concatenate([np.setdiff1d(np.arange(width), channels), np.array(channels, np.int64)])


def _aside(graph: ir.Graph, site: SiteNodes, channels: tuple[int, ...]) -> None:
    """Multiply some channels after GELU in float32; they come last, and the int8 product passes over them."""
    gelu, down = site.value.producer(), site.linears[0]
    up = gelu.inputs[0].producer() if gelu is not None and gelu.inputs[0] is not None else None
    if gelu is None or up is None or up.op_type != "Gemm":
        raise GraphError(f"{site.name}: expected a linear layer and GELU before it")
    order, kept = _order(site.width, channels), site.width - len(channels)
    replace(graph, up, 1, array(up, 1)[:, order])
    replace(graph, up, 2, array(up, 2)[order])
    out = array(down, 1)[order]
    chain = Chain(graph, down, f"{down.name}_float")
    ends = [chain.integers(name, [at]) for name, at in (("start", kept), ("end", site.width), ("axis", 1))]
    side = chain.add("Slice", [site.value, *ends], "channels")
    weight = ops.constant(graph, f"{down.name}_float_weight", out[kept:].copy())
    joined = ops.node("Gemm", [side, weight, down.outputs[0]], f"{down.name}{JOINED}")
    graph.insert_after(down, joined)
    for use in [use for use in down.outputs[0].uses() if use.node is not joined]:
        use.node.replace_input_with(use.idx, joined.outputs[0])
    out[kept:] = 0
    replace(graph, down, 1, out)


def _ordered(site: Site) -> Site:
    """Return what is left of a site in one int8 product: its channels as `_aside` orders them."""
    order = _order(len(site.range.low_k), site.float_channels)
    # Weights of 0 read the last ones: any range will do, and that of another keeps a shared step shared.
    order[len(order) - len(site.float_channels) :] = order[0]
    limits = site.range
    split = tuple(
        np.searchsorted(order[: len(order) - len(site.float_channels)], site.split_channels).tolist()
    )
    return Site(site.mode, (), split, Range(limits.low_k[order], limits.high_k[order], limits.mean_k[order]))


def smooth(model: ir.Model, plan: Plan) -> dict[str, Site]:
    """Bring each activation that the plan quantizes to units of its step, in place.

    In: a packed graph. Out: the same function. A normalization's gamma and beta carry its output's
    step and offset, and the residual that reads it too has a `Mul`; of a normalized site it is gamma and
    beta themselves that go to the readers (arXiv 2209.13325). The value projection's columns
    carry the context's; after GELU there is a `Mul`. Float channels are sliced off for a small product
    of their own. Weights' rows take the steps up, biases the offsets. Exact up to rounding.

    Returns:
        The sites as the graph now has them: float channels last, and of no weight.

    Raises:
        GraphError: the graph's sites are not the plan's, or one is to be what it cannot.
    """
    graph = model.graph
    expected, found = list(plan.sites), [site.name for site in activations.find(model)]
    if found != expected:
        raise GraphError(f"the plan has sites {expected}, the graph {found}")
    reduced = {}
    for nodes in activations.find(model):
        site = plan.sites[nodes.name]
        if len(site.range.low_k) != nodes.width:
            raise GraphError(f"{nodes.name}: found {len(site.range.low_k)} channels, expected {nodes.width}")
        if site.float_channels and site.mode != "float":
            _aside(graph, nodes, site.float_channels)
            site = _ordered(site)
        reduced[nodes.name] = site
    # Found again: their weights are others.
    for nodes in activations.find(model):
        site = reduced[nodes.name]
        if site.mode == "float":
            continue
        offset, step = steps_of(site, nodes.kind)
        if site.normalized:
            offset, step = _beta_and_gamma(nodes, site.mode)
        if nodes.kind == activations.NORM:
            _norm(graph, nodes, offset, step)
        elif nodes.kind == activations.CONTEXT:
            _context(graph, nodes, offset, step)
        else:
            factor = ops.constant(graph, f"{nodes.name}_per_step", 1 / step)
            scaled = ops.node("Mul", [nodes.value, factor], f"{nodes.name}_steps")
            graph.insert_before(nodes.linears[0], scaled)
            nodes.linears[0].replace_input_with(0, scaled.outputs[0])
        for linear in nodes.linears:
            take_up(graph, linear, offset, step)
    ops.remove_unused(model)
    return reduced
