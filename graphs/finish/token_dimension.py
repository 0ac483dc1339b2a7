"""Name the tokens' dimension: this lets onnxruntime write a result over what it read."""

from __future__ import annotations

import onnx_ir as ir

from graphs.edit import names, ops
from graphs.int8 import instance
from graphs.unpadded.rows import TOKEN_WISE

TOKENS = "tokens"
# What `instance` makes of a normalization: `[t, 1, k]`, then `[t, k]` again.
_APART = {"Unsqueeze", instance.OP_TYPE}
_TOKEN_WISE = TOKEN_WISE | _APART | {"Squeeze", "BatchNormalization"}
# Of these, the columns are those of the second input.
_PRODUCTS = {"Gemm", "MatMul", "MatMulIntegerToFloat"}


def _columns(node: ir.Node, named: dict[ir.Value, int]) -> int | None:
    """Return the columns of a node's `[t, k]`; None where it is no function of each token."""
    if node.op_type in _PRODUCTS:
        weight = ops.read(node, 1)
        if node.inputs[0] in named and weight.const_value is not None:
            return int(ops.array_of(weight).shape[1])
        return None
    if node.op_type not in _TOKEN_WISE:
        return None
    return next((named[value] for value in node.inputs if value in named), None)


def name(model: ir.Model, hidden: int) -> int:
    """State that what is token-wise is `[tokens, k]`, in place. No node changes.

    In: a packed graph, in which nothing says how many tokens there are: that is computed. Out: token-wise
    values have two dimensions, the first by name. onnxruntime lets an operator write over its input, or over
    a buffer that is free, where both shapes are equal by their numbers or names (`allocation_planner.cc`,
    `SameShape`); what has no such shape gets new memory. That matters where two cores share no cache: to
    write what another core has read costs them many times as much as what they have just read themselves.

    Args:
        model: the graph.
        hidden: h, the columns of the encoder's layers.

    Returns:
        How many attentions' results were named: `[t, h]` comes from them anew.
    """
    named: dict[ir.Value, int] = {}
    contexts = 0
    for node in model.graph:
        joined = names.CONTEXT.fullmatch(str(node.name)) is not None
        columns = hidden if joined or node.name == names.EMBEDDINGS else _columns(node, named)
        if columns is not None:
            value = node.outputs[0]
            dtype = ir.DataType.UINT8 if node.op_type == "QuantizeLinear" else ir.DataType.FLOAT
            shape: list[int | str] = [TOKENS, 1, columns] if node.op_type in _APART else [TOKENS, columns]
            named[ops.typed(value, dtype, shape)] = columns
            contexts += joined
    return contexts
