"""Replace a normalization without gamma and beta by an operator that onnxruntime runs faster."""

from __future__ import annotations

import onnx_ir as ir

from core.errors import GraphError
from graphs.edit import ops
from graphs.edit.chain import Chain

OP_TYPE = "InstanceNormalization"


def instance(graph: ir.Graph, value: ir.Value) -> None:
    """Replace the `LayerNormalization` that makes a value `[t, k]`, of gamma 1 and beta 0, in place.

    By `InstanceNormalization` of `[t, 1, k]`: of one channel, so that each token's k values are normalized,
    with one scale for all. Equal up to rounding. onnxruntime 1.32 divides a `LayerNormalization` among its
    threads however few the tokens are, and adds its values up one by one.

    Raises:
        GraphError: something else makes the value.
    """
    node = value.producer()
    plain = node is not None and node.op_type == "LayerNormalization"
    if node is None or not plain or (ops.array(node, 1) != 1).any() or ops.array(node, 2).any():
        raise GraphError(f"{value.name}: expected a normalization of gamma 1 and beta 0 before it")
    chain = Chain(graph, node, str(node.name))
    axis, one, zero = chain.integers("axis", [1]), chain.floats("one", [1]), chain.floats("zero", [0])
    apart = chain.add("Unsqueeze", [node.inputs[0], axis], "apart")
    epsilon = node.attributes.get_float("epsilon", 1e-5)
    normalized = chain.add(OP_TYPE, [apart, one, zero], "instance", epsilon=epsilon)
    node.outputs[0].replace_all_uses_with(chain.add("Squeeze", [normalized, axis], "joined"))
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
