"""Replace normalizations by operators whose bits no version of onnxruntime has changed, and faster ones."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from core.errors import GraphError
from graphs.edit import ops
from graphs.edit.chain import Chain

OP_TYPE = "InstanceNormalization"


def _constants(chain: Chain) -> list[ir.Value]:
    return [chain.integers("axis", [1]), chain.floats("one", [1]), chain.floats("zero", [0])]


def _plain(chain: Chain, node: ir.Node, constants: list[ir.Value]) -> ir.Value:
    """Append a normalization without gamma and beta; return its output, `[t, k]`."""
    axis, one, zero = constants
    apart = chain.add("Unsqueeze", [node.inputs[0], axis], "apart")
    epsilon = node.attributes.get_float("epsilon", 1e-5)
    normalized = chain.add(OP_TYPE, [apart, one, zero], "instance", epsilon=epsilon)
    return chain.add("Squeeze", [normalized, axis], "joined")


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
    node.outputs[0].replace_all_uses_with(_plain(chain, node, _constants(chain)))
    graph.remove(node, safe=True)


def every(graph: ir.Graph) -> int:
    """Replace each `LayerNormalization` of `[t, k]` by `InstanceNormalization`, gamma and beta, in place.

    onnxruntime changed how it adds up in `LayerNormalization` in 1.27 and in 1.30: a last bit there moves a
    rounding to int8, and with it decisions. `InstanceNormalization` gives the same bits in all versions.
    Gamma and beta are a `BatchNormalization` of mean 0, variance 1 and epsilon 0: one multiplication and one
    addition in one pass. Equal up to rounding.

    Returns:
        How many were replaced.
    """
    nodes, shared = ops.nodes_of(graph, "LayerNormalization"), Chain(graph, None, "normalization")
    constants, statistics = _constants(shared), dict[int, list[ir.Value]]()
    for node in nodes:
        chain, width = Chain(graph, node, str(node.name)), len(ops.array(node, 1))
        if width not in statistics:
            numbers = {"mean": np.zeros(width), "variance": np.ones(width)}
            statistics[width] = [shared.floats(name, number) for name, number in numbers.items()]
        gamma, beta = ops.read(node, 1), ops.read(node, 2)
        inputs = [_plain(chain, node, constants), gamma, beta, *statistics[width]]
        whole = chain.add("BatchNormalization", inputs, "scaled", epsilon=0.0)
        ops.replace(node.outputs[0], whole)
        graph.remove(node, safe=True)
    return len(nodes)


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
