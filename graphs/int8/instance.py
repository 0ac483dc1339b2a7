"""A normalization without gamma and beta: as an operator that onnxruntime runs in one thread, and faster."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from core.errors import GraphError
from graphs.edit import ops
from graphs.edit.chain import Chain
from graphs.int8.readers import array

OP_TYPE = "InstanceNormalization"


def _plain(node: ir.Node) -> bool:
    return bool((array(node, 1) == 1).all() and not array(node, 2).any())


def instance(graph: ir.Graph, value: ir.Value) -> None:
    """Replace the `LayerNormalization` that makes a value `[t, k]`, of gamma 1 and beta 0, in place.

    By `InstanceNormalization` of `[t, 1, k]`: of one channel, so that each token's k values are normalized,
    with one scale for all. Equal up to rounding. onnxruntime 1.32 divides a `LayerNormalization` among its
    threads however few the tokens are, and adds its values up one by one.

    Raises:
        GraphError: something else makes the value.
    """
    node = value.producer()
    if node is None or node.op_type != "LayerNormalization" or not _plain(node):
        raise GraphError(f"{value.name}: expected a normalization of gamma 1 and beta 0 before it")
    chain = Chain(graph, node, str(node.name))
    axis = chain.integers("axis", [1])
    one, zero = (
        ops.constant(graph, f"{chain.prefix}_{name}", np.full(1, number, np.float32))
        for name, number in (("one", 1), ("zero", 0))
    )
    apart = chain.add("Unsqueeze", [node.inputs[0], axis], "apart")
    epsilon = node.attributes.get_float("epsilon", 1e-5)
    made = ops.node(OP_TYPE, [apart, one, zero], f"{node.name}_instance", attributes={"epsilon": epsilon})
    normalized = chain.insert(made)
    joined = chain.add("Squeeze", [normalized, axis], "joined")
    node.outputs[0].replace_all_uses_with(joined)
    graph.remove(node, safe=True)


def of_rows(apart: ir.Node, rows: ir.Value, ones: ir.Value, zeros: ir.Value) -> ir.Node:
    """Let what `instance` made read rows `[b, s, k]`, in place: a token is a channel then. Return it.

    Args:
        apart: the `Unsqueeze` that `instance` put before.
        rows: what it reads, as `[b, s, k]`.
        ones: float32 `[s]`, the scale.
        zeros: float32 `[s]`, the offset.
    """
    (read,) = apart.outputs[0].uses()
    for index, source in enumerate((rows, ones, zeros)):
        read.node.replace_input_with(index, source)
    (joined,) = read.node.outputs[0].uses()
    joined.node.outputs[0].replace_all_uses_with(read.node.outputs[0])
    return read.node
