"""Make a normalization one operator again: `LayerNormalization`, which engines know and fuse."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from core.errors import GraphError
from graphs.edit import ops
from graphs.edit.chain import Chain
from graphs.int8 import instance


def _only_reader(value: ir.Value, op_type: str) -> ir.Node | None:
    readers = {use.node for use in value.uses()}
    return (
        next(iter(readers)) if {node.op_type for node in readers} == {op_type} and len(readers) == 1 else None
    )


def _width(value: ir.Value) -> int:
    """Return the columns of a sum before a normalization; 1 where nothing there says how many."""
    node = value.producer()
    if node is None:
        shape = ops.array_of(value).shape
        return int(shape[-1]) if shape else 1
    if node.op_type in ("Gemm", "MatMulIntegerToFloat"):
        return int(ops.array(node, 1).shape[1])
    if node.op_type == "Gather":
        return _width(ops.read(node))
    read = [source for source in node.inputs if source is not None]
    return max(map(_width, read)) if node.op_type in ("Add", "Mul") else 1


def layer(model: ir.Model) -> int:
    """Replace what `instance` made by the `LayerNormalization` it was, in place.

    In: `Unsqueeze`, `InstanceNormalization` of `[t, 1, k]`, `Squeeze` and, where gamma and beta are not 1
    and 0, `BatchNormalization` of mean 0 and variance 1. Out: `LayerNormalization` of `[t, k]`. Equal up to
    rounding.

    Returns:
        How many were replaced.

    Raises:
        GraphError: the operators are others.
    """
    graph = model.graph
    nodes = ops.nodes_of(graph, instance.OP_TYPE)
    for node in nodes:
        apart = ops.producer(ops.read(node), "Unsqueeze", str(node.name))
        joined = _only_reader(node.outputs[0], "Squeeze")
        source = ops.read(apart)
        if joined is None:
            raise GraphError(f"{node.name}: expected a Squeeze after it, as `instance` makes it")
        chain = Chain(graph, node, str(node.name))
        scaled = _only_reader(joined.outputs[0], "BatchNormalization")
        if scaled is None:
            width = _width(source)
            gamma, beta = chain.floats("gamma", np.ones(width)), chain.floats("beta", np.zeros(width))
        else:
            gamma, beta = ops.read(scaled, 1), ops.read(scaled, 2)
        last = (scaled or joined).outputs[0]
        epsilon = node.attributes.get_float("epsilon", 1e-5)
        made = chain.add("LayerNormalization", [source, gamma, beta], "layer", axis=-1, epsilon=epsilon)
        ops.replace(last, made)
    ops.remove_unused(model)
    return len(nodes)
