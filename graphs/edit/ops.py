"""Building blocks of the rewrites: nodes, constants, looking around in a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from core.errors import GraphError
from core.untrusted.wire.operators import HEAD_DOMAIN
from core.untrusted.wire.operators import MICROSOFT as MICROSOFT

MACHINE_LEARNING = HEAD_DOMAIN
Attribute = int | float | str | Sequence[int] | Sequence[str] | ir.Graph


def constant(graph: ir.Graph, name: str, array: np.ndarray) -> ir.Value:
    """Register an initializer under a free name and return it."""
    free, number = name, 1
    while free in graph.initializers:
        free, number = f"{name}_{number}", number + 1
    value = ir.val(free, const_value=ir.tensor(array, name=free))
    value.shape = ir.Shape(array.shape)
    value.dtype = ir.DataType.from_numpy(array.dtype)
    graph.register_initializer(value)
    return value


def node(
    op_type: str,
    inputs: Sequence[ir.Value | None],
    name: str,
    *,
    attributes: Mapping[str, Attribute] | None = None,
    domain: str = "",
    outputs: int = 1,
) -> ir.Node:
    """Make a node whose only output is called `name` (several: `name_0`, `name_1`, …)."""
    made = ir.node(op_type, inputs, attributes=attributes or {}, domain=domain, num_outputs=outputs)
    made.name = name
    for index, value in enumerate(made.outputs):
        value.name = name if outputs == 1 else f"{name}_{index}"
    return made


def typed(value: ir.Value, dtype: ir.DataType, shape: Sequence[int | str]) -> ir.Value:
    """State a value's type and shape; return it."""
    value.dtype, value.shape = dtype, ir.Shape(shape)
    return value


def read(node: ir.Node, index: int = 0) -> ir.Value:
    """Return what a node reads at one of its inputs.

    Raises:
        GraphError: it reads nothing there.
    """
    value = node.inputs[index]
    if value is None:
        raise GraphError(f"{node.name}: found no input {index}")
    return value


def array_of(initializer: ir.Value) -> np.ndarray:
    """Return an initializer's content.

    Raises:
        GraphError: it has none.
    """
    if initializer.const_value is None:
        raise GraphError(f"{initializer.name}: expected an initializer, found a computed value")
    return initializer.const_value.numpy()


def insert_before(graph: ir.Graph, value: ir.Value, nodes: Sequence[ir.Node]) -> None:
    """Insert nodes before the one that computes `value`.

    Raises:
        GraphError: none does.
    """
    producer = value.producer()
    if producer is None:
        raise GraphError(f"{value.name}: expected a computed value, found an input or initializer")
    graph.insert_before(producer, nodes)


def input_named(graph: ir.Graph, name: str) -> ir.Value:
    """Return a graph input.

    Raises:
        GraphError: there is none of that name.
    """
    for value in graph.inputs:
        if value.name == name:
            return value
    raise GraphError(f"the graph has no input {name}; found {[v.name for v in graph.inputs]}")


def nodes_of(graph: ir.Graph, op_type: str) -> list[ir.Node]:
    """Return the nodes of one operator, in graph order."""
    return [found for found in graph if found.op_type == op_type]


def ancestors(value: ir.Value) -> set[ir.Value]:
    """Return every value that `value` is computed from, itself included."""
    seen: set[ir.Value] = set()
    pending = [value]
    while pending:
        current = pending.pop()
        if current in seen:
            continue
        seen.add(current)
        producer = current.producer()
        if producer is not None:
            pending.extend(source for source in producer.inputs if source is not None)
    return seen


def remove_unused(model: ir.Model) -> None:
    """Remove nodes and initializers that no output depends on."""
    RemoveUnusedNodesPass()(model)
