"""Bring channels into an order in which no two neighbours have large weights of one sign. Exact.

Rows of a weight are rounded in pairs (`graphs.int8.rounding`), and a column whose largest weights are
neighbours gets a coarse scale. Channels after GELU go into any order, those of a context within their head,
and those of the hidden state into one order in the whole graph: tables, normalizations, residuals and head
included. Only constants are moved; the graph has the same nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core.build.plan import ActivationPlan, QuantizationPlan, Range
from core.errors import GraphError
from graphs.edit import names, ops
from graphs.int8 import activations
from graphs.int8.activations import Activation

Order = NDArray[np.int64]
_ELEMENTWISE = {"Add", "Div", "LayerNormalization", "Mul", "Sub", "Where"}
# These leave the last axis as it is.
_ALONG_OTHER_AXES = {"Gather", "LpNormalization", "ReduceMax", "Squeeze", "Unsqueeze"}


def head_width(graph: ir.Graph) -> int:
    """Return how many channels of a context are one head's.

    Raises:
        GraphError: the graph is not packed.
    """
    rows = next((node for node in graph if names.ROWS_OF_HEADS.fullmatch(str(node.name))), None)
    if rows is None:
        raise GraphError("no rows of heads; `pack` must come before")
    return int(ops.array(rows, 1)[-1])


def _move(graph: ir.Graph, node: ir.Node, index: int, order: Order, axis: int = -1) -> None:
    ops.set_array(graph, node, index, np.take(ops.array(node, index), order, axis))


def _gelu(graph: ir.Graph, activation: Activation, order: Order) -> None:
    name = activation.name
    scaled = ops.producer(activation.value, "Mul", name)
    up = ops.producer(ops.read(ops.producer(ops.read(scaled), "Gelu", name)), "Gemm", name)
    for node, index in ((scaled, 1), (up, 1), (up, 2)):
        _move(graph, node, index, order)
    _move(graph, activation.linears[0], 1, order, axis=0)


def _context(graph: ir.Graph, activation: Activation, order: Order) -> None:
    width = head_width(graph)
    if (order // width != np.arange(len(order)) // width).any():
        raise GraphError(f"{activation.name}: order: expected each channel within its head of {width}")
    projection = names.value_projection(graph, activation.layer)
    first = len(ops.array(projection, 2)) - len(order)
    for index in (1, 2):
        _move(graph, projection, index, np.concatenate([np.arange(first), first + order]))
    _move(graph, activation.linears[0], 1, order, axis=0)


def _gives_hidden_state(node: ir.Node) -> bool:
    match = names.LINEAR.fullmatch(str(node.name).removesuffix(names.JOINED))
    return match is not None and match[2] in ("attention_output", "down")


def _product(graph: ir.Graph, node: ir.Node, known: dict[ir.Value, Order], order: Order) -> Order | None:
    """Move a `Gemm`'s constants; return the order of its output's channels, None where they stay."""
    if any(node.attributes.get_int(name, 0) for name in ("transA", "transB")):
        raise GraphError(f"{node.name}: expected a product without a transposition")
    if (rows := known.get(ops.read(node))) is not None:
        _move(graph, node, 1, rows, axis=0)
    if not _gives_hidden_state(node):
        return None
    _move(graph, node, 1, order)
    if ops.read(node, 2) not in known:
        _move(graph, node, 2, order)
    return order


def _elementwise(graph: ir.Graph, node: ir.Node, order: Order) -> Order:
    for index, value in enumerate(node.inputs):
        if value is not None and value.is_initializer() and ops.array_of(value).shape[-1:] == order.shape:
            _move(graph, node, index, order)
    return order


def reorder_hidden_state(graph: ir.Graph, order: Order) -> None:
    """Move the channels of the hidden state in the whole graph.

    Raises:
        GraphError: something that has no constants to move reads them: a head that is not linear, an output.
    """
    known: dict[ir.Value, Order] = {}
    if (width := ops.array(names.node(graph, names.WORDS), 0).shape[1]) != len(order):
        raise GraphError(f"order: found {len(order)} channels, expected {width}")
    for node in list(graph):
        name = str(node.name)
        read = [known[value] for value in node.inputs if value in known]
        if name in (names.WORDS, names.POSITION_ROWS):
            _move(graph, node, 0, order)
            given: Order | None = order
        elif node.op_type == "Gemm" and (read or _gives_hidden_state(node)):
            given = _product(graph, node, known, order)
        elif not read:
            continue
        elif node.op_type in _ELEMENTWISE:
            given = _elementwise(graph, node, read[0])
        elif node.op_type == "Concat":
            if len(read) < len(node.inputs):
                raise GraphError(f"{name}: expected hidden states alone")
            widths = np.cumsum([0, *map(len, read)])
            given = np.concatenate([own + start for own, start in zip(read, widths, strict=False)])
        elif node.op_type in _ALONG_OTHER_AXES or (node.op_type == "MatMul" and node.inputs[1] in known):
            given = read[0]
        else:
            raise GraphError(f"{name}: {node.op_type} reads the hidden state, which cannot be reordered then")
        if given is not None:
            known[node.outputs[0]] = given
    if outputs := [str(value.name) for value in graph.outputs if value in known]:
        raise GraphError(f"the hidden state is in the output {outputs[0]}, and cannot be reordered then")


def can_reorder_hidden_state(model: ir.Model, width: int) -> bool:
    """Tell whether a packed graph's hidden state can have another order; the graph stays as it is."""
    copy = model.clone()
    try:
        reorder_hidden_state(copy.graph, np.arange(width))
    except GraphError:
        return False
    return True


def moved(plan: ActivationPlan, order: Order) -> ActivationPlan:
    """Return an activation's plan for channels that have been moved."""
    place = np.argsort(order)
    split, negated = (
        tuple(sorted(place[list(channels)].tolist())) for channels in (plan.split_channels, plan.negated)
    )
    limits = Range(*(ends[order] for ends in vars(plan.range).values()))
    return replace(plan, range=limits, split_channels=split, negated=negated, order=())


_OWN: dict[str, Callable[[ir.Graph, Activation, Order], None]] = {
    activations.GELU: _gelu,
    activations.CONTEXT: _context,
}


def reorder(
    model: ir.Model, plan: QuantizationPlan, plans: dict[str, ActivationPlan]
) -> dict[str, ActivationPlan]:
    """Bring channels into a plan's orders, in place.

    In: a graph that `smooth` has scaled and `overflow.widen` widened, and the plans as it has them. Out: the
    same function, the sums of products in another order.

    Returns:
        The plans as the graph now has them.

    Raises:
        GraphError: an order is not one of the graph's channels, or moves what cannot be.
    """
    graph, reordered = model.graph, dict(plans)
    for activation in activations.find(model):
        own = plans[activation.name]
        order = np.array(plan.order if activation.kind == activations.NORM else own.order, np.int64)
        if own.mode == "float" or not len(order):
            continue
        if len(order) != activation.width:
            raise GraphError(
                f"{activation.name}: order: found {len(order)} channels, expected {activation.width}"
            )
        if own_order := _OWN.get(activation.kind):
            own_order(graph, activation, order)
        reordered[activation.name] = moved(own, order)
    if plan.order:
        reorder_hidden_state(graph, np.array(plan.order, np.int64))
    ops.remove_unused(model)
    return reordered
