"""Join a graph in int8 and one in float32: texts near to a decision are answered by the second."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from core.build.facts import HeadInfo
from core.contract import ATTENTION_MASK, INPUT_IDS
from graphs.edit import names, ops
from graphs.edit.chain import Chain
from graphs.guard import answers, near, repeated
from graphs.guard.shared import Constants

_PREFIX, _FLOAT, _INT8 = names.GUARD, "float", "int8"


def _like(value: ir.Value, other: ir.Value) -> ir.Value:
    value.type, value.shape = other.type, other.shape
    return value


def _float_branch(graph: ir.Graph, other: ir.Graph, asked: ir.Value, given: Sequence[ir.Value]) -> ir.Graph:
    """Return a branch that answers the rows `asked` by another graph's nodes, and the others as `given`."""
    nodes, answered, constants = list(other), list(other.outputs), Constants(graph)
    first = Chain(other, other[0], _PREFIX)
    rows = {
        name: first.add("Gather", [ops.input_named(graph, name), asked], f"{name}_asked", axis=0)
        for name in (INPUT_IDS, ATTENTION_MASK)
    }
    for node in nodes:
        for index, value in enumerate(node.inputs):
            if value is not None and value.producer() is None:
                name = str(value.name)
                known = rows[name] if value.is_graph_input() else constants.of(value, _FLOAT)
                node.replace_input_with(index, known)
        node.name = f"{_FLOAT}_{node.name}"
        for value in node.outputs:
            value.name = f"{_FLOAT}_{value.name}"
    last = Chain(other, None, _PREFIX)
    places = last.add("Unsqueeze", [asked, Chain(graph).integers("axis_1", [1])], "asked_column")
    outputs = []
    for value, old in zip(answered, given, strict=True):
        value.shape = None  # said of all rows
        outputs.append(_like(last.add("ScatterND", [old, places, value], f"{value.name}_scattered"), old))
    taken, _, _ = ops.take_apart(other)
    return ir.Graph([], outputs, nodes=taken, name=_FLOAT)


def _int8_branch(given: Sequence[ir.Value]) -> ir.Graph:
    """Return a branch that answers all rows as they are `given`."""
    nodes = [ops.node("Identity", [value], f"{_PREFIX}_{value.name}_kept") for value in given]
    outputs = [_like(node.outputs[0], old) for node, old in zip(nodes, given, strict=True)]
    return ir.Graph([], outputs, nodes=nodes, name=_INT8)


def guard(model: ir.Model, exact: ir.Model, info: HeadInfo, margins: Sequence[float]) -> int:
    """Answer the texts near to a decision by a graph in float32, in place; it is taken apart.

    In: a graph in int8 and a packed one in float32, both after `answers.cut`, of the same outputs. Out: the
    first; then which texts are near (`near.near`) or repeat themselves (`repeated.repeated`); then an `If`.
    Where any text is asked, their ids and masks are gathered, the second graph answers them, and its answers
    are scattered over the first's; where none is, the answers stay as they are. Constants of equal content
    are one.

    Returns:
        1, the number of branches.

    Raises:
        GraphError: a margin is wrong, as `near.limits`.
    """
    graph = model.graph
    given, promised = list(graph.outputs), [str(value.name) for value in graph.outputs]
    chain = Chain(graph, None, _PREFIX)
    is_near = near.near(chain, answers.scores(graph), info, margins)
    for value, name in zip(given, promised, strict=True):
        value.name = f"{_INT8}_{name}"
    axis = chain.integers("axis_0", [0])
    repeats = repeated.repeated(Chain(graph, None, f"{_PREFIX}_repeats"))
    is_asked = chain.add("Or", [is_near, repeats], "is_asked")
    asked = chain.indices(is_asked, axis, "asked", "asked_row")
    count = chain.add("Squeeze", [chain.add("Shape", [asked], "count_axis"), axis], "count")
    graph.outputs.clear()
    branches = {
        "then_branch": _float_branch(graph, exact.graph, asked, given),
        "else_branch": _int8_branch(given),
    }
    condition = chain.cast(count, ir.DataType.BOOL, "any")
    final = Chain(graph).several("If", [condition], names.GUARD, len(given), **branches)
    for value, old, name in zip(final, given, promised, strict=True):
        _like(value, old).name = name
        graph.outputs.append(value)
    return 1
