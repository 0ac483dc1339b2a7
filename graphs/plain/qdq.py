"""Write int8 products in QDQ form: standard operators, from which an engine makes its own int8 products."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from core.errors import GraphError
from graphs.edit import ops
from graphs.edit.chain import Chain

# Of `MatMulIntegerToFloat(a, b, a_scale, b_scale, a_zero_point, b_zero_point, bias)`.
_FACTOR, _COLUMN_SCALES, _ZERO_POINT, _WEIGHT_ZERO_POINT, _BIAS = range(2, 7)
# They hand integers on as they are.
_MOVES = {"Concat", "Flatten", "Gather", "Reshape"}


def _rounding(node: ir.Node) -> ir.Node:
    """Return the `QuantizeLinear` whose integers a product reads."""
    made = ops.read(node).producer()
    while made is not None and made.op_type in _MOVES:
        made = ops.read(made).producer()
    if made is None or made.op_type != "QuantizeLinear":
        raise GraphError(f"{node.name}: found no QuantizeLinear before it")
    return made


def _optional(node: ir.Node, index: int) -> ir.Value | None:
    return node.inputs[index] if index < len(node.inputs) else None


def products(model: ir.Model) -> int:
    """Replace `MatMulIntegerToFloat` by `MatMul` between two `DequantizeLinear`, and `Add`, in place.

    The integers are the same. A scale that stands at the rounding and not at the product moves from the
    columns' scales to the activation's, so that both ends of a pair have one: equal up to rounding.

    Returns:
        How many were replaced.

    Raises:
        GraphError: a product reads no integers that the graph rounds to, or weights with a zero point.
    """
    graph, floats = model.graph, dict[tuple[ir.Value, ir.Value], ir.Value]()
    nodes = ops.nodes_of(graph, "MatMulIntegerToFloat")
    for node in nodes:
        if _optional(node, _WEIGHT_ZERO_POINT) is not None:
            raise GraphError(f"{node.name}: found a zero point of weights, expected none")
        chain, read, rounding = Chain(graph, node, str(node.name)), ops.read(node), _rounding(node)
        step = ops.read(rounding, 1)
        ratio = ops.array(node, _FACTOR) / ops.array_of(step)
        scales = ops.read(node, _COLUMN_SCALES)
        if ratio != 1:
            scales = chain.floats("weight_scale", ops.array_of(scales) * ratio)
        if (read, step) not in floats:
            floats[read, step] = chain.add(
                "DequantizeLinear", [read, step, ops.read(node, _ZERO_POINT)], "activation"
            )
        # A zero point of weights is 0 where none is named; some engines want it named.
        zeros = chain.constant("weight_zero_point", np.zeros(ops.array_of(scales).shape, np.int8))
        weight = chain.add("DequantizeLinear", [node.inputs[1], scales, zeros], "weight", axis=1)
        result = chain.add("MatMul", [floats[read, step], weight], "product")
        if (bias := _optional(node, _BIAS)) is not None:
            result = chain.add("Add", [result, bias], "biased")
        node.outputs[0].replace_all_uses_with(result)
        graph.remove(node, safe=True)
    return len(nodes)


def scores(model: ir.Model) -> int:
    """Replace `FusedMatMul(query, key)` by `Mul(MatMul(query, Transpose(key)), alpha)`, in place.

    Equal up to rounding.

    Returns:
        How many were replaced.
    """
    graph = model.graph
    nodes = ops.nodes_of(graph, "FusedMatMul")
    for node in nodes:
        chain = Chain(graph, node, str(node.name))
        turned = chain.add("Transpose", [node.inputs[1]], "key_t", perm=[0, 1, 3, 2])
        product = chain.add("MatMul", [node.inputs[0], turned], "product")
        alpha = node.attributes.get_float("alpha", 1.0)
        if alpha != 1:
            product = chain.add("Mul", [product, chain.floats("alpha", alpha)], "scaled")
        node.outputs[0].replace_all_uses_with(product)
        graph.remove(node, safe=True)
    return len(nodes)
