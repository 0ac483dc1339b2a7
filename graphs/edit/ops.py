"""Make nodes and constants, and look around in a graph."""

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
    made = ir.node(op_type, inputs, attributes, domain=domain, num_outputs=outputs, name=name)
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
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None:
        raise GraphError(f"{node.name}: found no input {index}")
    return value


def producer(value: ir.Value, op_type: str, reader: str) -> ir.Node:
    """Return the node that computes a value.

    Raises:
        GraphError: it is of another operator than expected before the one called `reader`.
    """
    made = value.producer()
    if made is None or made.op_type != op_type:
        before = made.op_type if made is not None else "no node"
        raise GraphError(f"{reader}: found {before} before it, expected {op_type}")
    return made


def array_of(initializer: ir.Value) -> np.ndarray:
    """Return an initializer's content.

    Raises:
        GraphError: it has none.
    """
    if initializer.const_value is None:
        raise GraphError(f"{initializer.name}: expected an initializer, found a computed value")
    return initializer.const_value.numpy()


def array(node: ir.Node, index: int) -> np.ndarray:
    """Return the constant that a node reads at one of its inputs.

    Raises:
        GraphError: it reads none there.
    """
    return array_of(read(node, index))


def set_array(graph: ir.Graph, node: ir.Node, index: int, values: np.ndarray) -> None:
    """Give a node another float32 constant for one of its inputs."""
    name = str(read(node, index).name)
    node.replace_input_with(index, constant(graph, name, values.astype(np.float32)))


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
    return [node for node in graph if node.op_type == op_type]


def ancestors(value: ir.Value) -> set[ir.Value]:
    """Return every value that `value` is computed from, itself included."""
    seen: set[ir.Value] = set()
    pending: list[ir.Value | None] = [value]
    while pending:
        current = pending.pop()
        if current is not None and current not in seen:
            seen.add(current)
            made = current.producer()
            pending.extend(made.inputs if made is not None else ())
    return seen


def replace(old: ir.Value, new: ir.Value) -> None:
    """Let readers of a value read another, which takes its name, type and shape where it is an output."""
    if old.is_graph_output():
        old.name, new.name = new.name, old.name
        new.type, new.shape = old.type, old.shape
    old.replace_all_uses_with(new, replace_graph_outputs=True)


def take_apart(graph: ir.Graph) -> tuple[list[ir.Node], list[ir.Value], list[ir.Value]]:
    """Empty a graph, so that another may have what it was made of: nodes, outputs and initializers."""
    nodes, outputs, initializers = list(graph), list(graph.outputs), list(graph.initializers.values())
    graph.outputs.clear()
    graph.initializers.clear()
    graph.remove(nodes)
    return nodes, outputs, initializers


def remove_unused(model: ir.Model) -> None:
    """Remove nodes and initializers that no output depends on."""
    RemoveUnusedNodesPass()(model)
