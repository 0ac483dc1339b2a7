"""Sum tokens exactly, so that a text's sum has the same bits in any batch."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from core.errors import GraphError
from graphs.edit import names, ops
from graphs.edit.chain import Chain

# Float32 on a grid this fine has sums that float64 holds exactly: up to 2^23 in magnitude, in any order.
_STEPS = 2.0**30


def _exact(chain: Chain, node: ir.Node, weights: ir.Value, steps: ir.Value) -> ir.Value:
    wide = chain.cast(ops.read(node, 1), ir.DataType.DOUBLE, "wide")
    rounded = chain.add("Round", [chain.add("Mul", [wide, steps], "steps")], "rounded")
    return chain.cast(chain.add("MatMul", [weights, rounded], "sum"), ir.DataType.FLOAT, "narrow")


def sums(model: ir.Model) -> int:
    """Sum the poolings' tokens on a grid of 2^-30 in float64, in place.

    In: `MatMul(mask, tokens)`, one row a text. Out: `Cast`, `Mul`, `Round`, the product with the mask times
    2^-30, `Cast`. Errs by 2^-31 a token; no addition rounds. onnxruntime adds a product of one row up in
    another order for another number of columns, and these are those of a batch's longest text.

    Returns:
        How many sums were replaced.

    Raises:
        GraphError: a sum reads the mask otherwise.
    """
    graph = model.graph
    row = names.find(graph, names.TOKEN_WEIGHTS_ROW)
    products = [] if row is None else [use.node for use in row.outputs[0].uses()]
    if row is None or not products:
        return 0
    shared = Chain(graph, products[0], "exact_sum")
    steps = shared.constant("steps", np.array(_STEPS))
    wide = shared.cast(row.outputs[0], ir.DataType.DOUBLE, "mask")
    weights = shared.add("Mul", [wide, shared.constant("step", np.array(1 / _STEPS))], "weights")
    for node in products:
        if node.op_type != "MatMul" or node.inputs[0] is not row.outputs[0]:
            raise GraphError(f"{node.name}: found {node.op_type}, expected a MatMul of the mask and tokens")
        made = _exact(Chain(graph, node, str(node.name)), node, weights, steps)
        node.outputs[0].replace_all_uses_with(made)
        graph.remove(node, safe=True)
    graph.sort()
    return len(products)
