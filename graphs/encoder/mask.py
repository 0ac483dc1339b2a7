"""Replace the attention bias `[b, 1, s, s]` that the exporter computes by the mask itself."""

from __future__ import annotations

import onnx_ir as ir

from core.contract import ATTENTION_MASK, BATCH_AXIS, SEQUENCE_AXIS
from core.errors import GraphError
from graphs.edit import ops
from graphs.edit.chain import Chain

# Positions of Attention's inputs (onnxruntime, ContribOperators.md, com.microsoft.Attention).
_MASK_INDEX, _ATTENTION_BIAS = 3, 5


def mask(model: ir.Model) -> int:
    """Give every `Attention` the key padding mask in place of a bias.

    In: `Attention(x, weight, bias, -, -, attention_bias)`, where the bias is computed from
    `attention_mask` alone. Out: `Attention(x, weight, bias, mask)` with the mask as int32 `[b, s]`,
    and none of the nodes that computed the bias. Exact: a masked key gets the weight 0 both ways.

    Returns:
        How many attentions were changed.

    Raises:
        GraphError: an attention has no such bias.
    """
    graph = model.graph
    attention_mask = ops.input_named(graph, ATTENTION_MASK)
    attentions = ops.nodes_of(graph, "Attention")
    for attention in attentions:
        bias = attention.inputs[_ATTENTION_BIAS] if len(attention.inputs) > _ATTENTION_BIAS else None
        sources = ops.ancestors(bias) & set(graph.inputs) if bias is not None else set()
        if sources != {attention_mask}:
            origins = sorted(str(value.name) for value in sources)
            raise GraphError(f"{attention.name}: attention bias from {origins}, expected the mask's")
    if attentions:
        cast = Chain(graph, graph[0]).cast(attention_mask, ir.DataType.INT32, "attention_mask_int32")
        key_mask = ops.typed(cast, ir.DataType.INT32, [BATCH_AXIS, SEQUENCE_AXIS])
    for attention in attentions:
        attention.replace_input_with(_MASK_INDEX, key_mask)
        attention.replace_input_with(_ATTENTION_BIAS, None)
        attention.resize_inputs(_MASK_INDEX + 1)
    ops.remove_unused(model)
    return len(attentions)
