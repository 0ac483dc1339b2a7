"""Sum tokens exactly, so that a text's sum has the same bits in any batch."""

from __future__ import annotations

import onnx_ir as ir

from core.errors import GraphError
from graphs.edit import names, ops
from graphs.edit.chain import Chain

# A token's number is cut in two whole numbers, of steps and of what is left in finer ones. Float32 holds the
# sums of both exactly, in any order: up to 2^18 in magnitude, and of 512 tokens.
_STEP, _FINER = 2.0**-6, 2.0**16


def _exact(chain: Chain, node: ir.Node) -> ir.Value:
    # Whole powers of two: only `Round` and the last `Add` round.
    step, finer = chain.floats("step", _STEP), chain.floats("finer", _FINER)
    scaled = chain.add("Div", [ops.read(node, 1), step], "scaled")
    whole = chain.add("Round", [scaled], "whole")
    rest = chain.add("Mul", [chain.add("Sub", [scaled, whole], "left"), finer], "rest")
    parts = {"whole": whole, "rest": chain.add("Round", [rest], "rest_whole")}
    summed = [chain.add("MatMul", [ops.read(node), part], f"{name}_sum") for name, part in parts.items()]
    units = step, chain.floats("fine_step", _STEP / _FINER)
    products = [
        chain.add("Mul", [part, unit], f"{name}_product")
        for name, part, unit in zip(parts, summed, units, strict=True)
    ]
    return chain.add("Add", products, "sum")


def sums(model: ir.Model) -> int:
    """Sum the poolings' tokens exactly, in place.

    In: `MatMul(mask, tokens)`, one row a text. Out: the same of tokens in whole steps of 2^-6, and of what
    that leaves, in steps of 2^-22; and their sum. Errs by 2^-23 a token; no addition over tokens rounds.
    onnxruntime adds a product of one row up in another order for another number of columns, and these are
    those of a batch's longest text. In float32: onnxruntime's web package of transformers.js has no float64.

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
    for node in products:
        if node.op_type != "MatMul" or node.inputs[0] is not row.outputs[0]:
            raise GraphError(f"{node.name}: found {node.op_type}, expected a MatMul of the mask and tokens")
        made = _exact(Chain(graph, node, str(node.name)), node)
        node.outputs[0].replace_all_uses_with(made)
        graph.remove(node, safe=True)
    graph.sort()
    return len(products)
