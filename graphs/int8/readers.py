"""What reads a smoothed activation, and how each reader undoes the smoothing. Exact up to rounding.

The activation is `x' = (x - offset) / step`, offset and step float32 `[k]`.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core.errors import GraphError
from graphs.edit import ops

# The sum of a linear layer's int8 product and its float channels.
JOINED = "_joined"


def replace(graph: ir.Graph, node: ir.Node, index: int, values: NDArray[np.float32]) -> None:
    """Give a node another constant for one of its inputs."""
    old = node.inputs[index]
    name = str(old.name) if old is not None else f"{node.name}_{index}"
    node.replace_input_with(index, ops.constant(graph, name, values.astype(np.float32)))


def array(node: ir.Node, index: int) -> NDArray[np.float32]:
    """Return the constant that a node reads at one of its inputs.

    Raises:
        GraphError: it reads none there.
    """
    return ops.array_of(ops.read(node, index))


def take_up(graph: ir.Graph, node: ir.Node, offset: NDArray[np.float32], step: NDArray[np.float32]) -> None:
    """Let a linear layer read the smoothed activation."""
    weight = array(node, 1)
    # Shares of a head are added one to the other; the first has the bias.
    first = node
    while (before := first.inputs[2]) is not None and (producer := before.producer()) is not None:
        first = producer
    # A sum of rows, not a product: the same bits on every machine.
    moved = (offset[:, None].astype(np.float64) * weight).sum(axis=0)
    replace(graph, first, 2, array(first, 2) + moved.astype(np.float32))
    replace(graph, node, 1, weight * step[:, None])


def residual(
    graph: ir.Graph, reader: ir.Node, index: int, offset: NDArray[np.float32], step: NDArray[np.float32]
) -> None:
    """Undo the smoothing for a residual sum; the offset goes into the other summand's bias."""
    other = reader.inputs[1 - index]
    linear = other.producer() if other is not None else None
    if linear is not None and str(linear.name).endswith(JOINED) and linear.inputs[2] is not None:
        linear = linear.inputs[2].producer()
    if reader.op_type != "Add" or linear is None or linear.op_type != "Gemm":
        raise GraphError(f"{reader.name}: found {reader.op_type}, expected a linear layer and its residual")
    replace(graph, linear, 2, array(linear, 2) + offset)
    factor = ops.constant(graph, f"{reader.name}_step", step)
    restored = ops.node("Mul", [reader.inputs[index], factor], f"{reader.name}_residual")
    graph.insert_before(reader, restored)
    reader.replace_input_with(index, restored.outputs[0])


def feature(
    graph: ir.Graph, reader: ir.Node, index: int, offset: NDArray[np.float32], step: NDArray[np.float32]
) -> None:
    """Undo the smoothing for a head that reads a hidden state; a linear one takes it up.

    Gathers of tokens and maxima over them commute with it, steps being positive: it is undone behind them.
    """
    while reader.op_type in ("Gather", "ReduceMax") and len(uses := list(reader.outputs[0].uses())) == 1:
        reader, index = uses[0].node, uses[0].idx
    if reader.op_type == "Gemm":
        take_up(graph, reader, offset, step)
        return
    source = reader.inputs[index]
    name = str(source.name) if source is not None else str(reader.name)
    factor, moved = (
        ops.constant(graph, f"{name}_step", step),
        ops.constant(graph, f"{name}_offset", offset),
    )
    scaled = ops.node("Mul", [source, factor], f"{name}_scaled")
    whole = ops.node("Add", [scaled.outputs[0], moved], f"{name}_restored")
    graph.insert_before(reader, [scaled, whole])
    reader.replace_input_with(index, whole.outputs[0])
