"""Let each reader of a smoothed activation undo the smoothing. Exact up to rounding.

The activation is `x' = (x - offset) / scale`, offset and scale float32 `[k]`.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core.errors import GraphError
from graphs.edit import names, ops
from graphs.edit.chain import Chain


def take_up(
    graph: ir.Graph, node: ir.Node, offset_k: NDArray[np.float32], scale_k: NDArray[np.float32]
) -> None:
    """Let a linear layer read the smoothed activation: its weight's rows scaled, the offset in its bias."""
    weight = ops.array(node, 1)
    # Shares of a head are added one to the other; the first has the bias.
    first = node
    while (producer := ops.read(first, 2).producer()) is not None:
        first = producer
    # A sum of rows, not a product: the same bits on every machine.
    moved = (offset_k[:, None].astype(np.float64) * weight).sum(axis=0)
    ops.set_array(graph, first, 2, ops.array(first, 2) + moved.astype(np.float32))
    ops.set_array(graph, node, 1, weight * scale_k[:, None])


def residual(
    graph: ir.Graph, use: tuple[ir.Node, int], offset_k: NDArray[np.float32], scale_k: NDArray[np.float32]
) -> None:
    """Undo the smoothing for a residual sum by a `Mul`; the offset goes into the other summand's bias."""
    reader, index = use
    if reader.op_type != "Add":
        raise GraphError(f"{reader.name}: found {reader.op_type}, expected a linear layer and its residual")
    linear = ops.producer(ops.read(reader, 1 - index), "Gemm", str(reader.name))
    if str(linear.name).endswith(names.JOINED):
        linear = ops.producer(ops.read(linear, 2), "Gemm", str(linear.name))
    ops.set_array(graph, linear, 2, ops.array(linear, 2) + offset_k)
    chain = Chain(graph, reader, str(reader.name))
    restored = chain.add("Mul", [reader.inputs[index], chain.constant("step", scale_k)], "residual")
    reader.replace_input_with(index, restored)


def feature(
    graph: ir.Graph, use: tuple[ir.Node, int], offset_k: NDArray[np.float32], scale_k: NDArray[np.float32]
) -> None:
    """Undo the smoothing for a head that reads a hidden state; a linear one takes it up.

    Gathers of tokens and maxima over them commute with it, scales being positive: it is undone behind them.
    """
    reader, index = use
    while reader.op_type in ("Gather", "ReduceMax") and len(uses := list(reader.outputs[0].uses())) == 1:
        reader, index = uses[0]
    if reader.op_type == "Gemm":
        take_up(graph, reader, offset_k, scale_k)
        return
    source = ops.read(reader, index)
    chain = Chain(graph, reader, str(source.name))
    factor, moved = chain.constant("step", scale_k), chain.constant("offset", offset_k)
    restored = chain.add("Add", [chain.add("Mul", [source, factor], "scaled"), moved], "restored")
    reader.replace_input_with(index, restored)
