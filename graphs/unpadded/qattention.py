"""Make onnxruntime's `QAttention`: an int8 projection and the attention that follows, a head at a time."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from graphs.edit import names, ops
from graphs.edit.chain import Chain

# Of `MatMulIntegerToFloat(a, b, a_scale, b_scale, a_zero_point, b_zero_point, bias)`.
_COLUMN_SCALES, _BIAS = 3, 6


def _head_width(graph: ir.Graph, layer: str) -> int:
    """Return how wide a head is, from the node that reads a projection as rows of heads."""
    return int(ops.array(names.node(graph, f"{layer}_qkv_rows"), 1)[-1])


def _projection(graph: ir.Graph, layer: str) -> ir.Node | None:
    """Return a layer's int8 projection; None where it is not one int8 product."""
    projection, rows = (names.find(graph, f"{layer}_{name}") for name in ("qkv_int8", "qkv_rows"))
    # Only of an activation with one int8 term are the rows those of a product.
    alone = projection is not None and rows is not None and rows.inputs[0] is projection.outputs[0]
    return projection if alone else None


def _without_factor(graph: ir.Graph, projection: ir.Node, width: int) -> None:
    """Take 1/√d out of the query's columns of an int8 projection."""
    for index in (_COLUMN_SCALES, _BIAS):
        values = ops.array(projection, index).copy()
        values[: len(values) // 3] *= np.sqrt(np.float32(width))
        ops.set_array(graph, projection, index, values)


def _fused_scores(graph: ir.Graph, scores: ir.Node, key_t: ir.Node, alpha: np.float32) -> None:
    """Replace `query @ transpose(key)` by the operator that transposes as it multiplies."""
    inputs, attributes = [scores.inputs[0], key_t.inputs[0]], {"alpha": float(alpha), "transB": 1}
    fused = Chain(graph, scores).add("FusedMatMul", inputs, str(scores.name), ops.MICROSOFT, **attributes)
    scores.outputs[0].replace_all_uses_with(fused)
    graph.remove(scores, safe=True)


def factors(model: ir.Model) -> list[str]:
    """Leave the scores' factor to the product that makes them, in place, where the projection is one in int8.

    In: `MatMul(query, Transpose(key))` of a packed graph. Out: `FusedMatMul(query, key)`. `QAttention`
    multiplies its scores by 1/√d as it stores them. To say the same to the bit, a packed graph takes the
    factor out of the query's projection (`pack` put it there), and multiplies in the same place:
    `FusedMatMul` with that `alpha`. All scores become such products, so that onnxruntime lays out no
    transposed key: a product of one row would then add in another order.

    Returns:
        The layers with the factor, such as `layer_3`: those for which `attend` can make a `QAttention`.
    """
    graph = model.graph
    layers: list[str] = []
    for scores in list(graph):
        match = names.SCORES.fullmatch(str(scores.name))
        if match is None:
            continue
        layer, alpha = match[1], np.float32(1)
        if (projection := _projection(graph, layer)) is not None:
            width = _head_width(graph, layer)
            if layer not in layers:
                _without_factor(graph, projection, width)
                layers.append(layer)
            alpha = np.float32(1) / np.sqrt(np.float32(width))
        _fused_scores(graph, scores, names.node(graph, f"{layer}_{match[2]}_key_t"), alpha)
    ops.remove_unused(model)
    return layers


def attend(graph: ir.Graph, layer: str, prefix: str) -> ir.Value:
    """Append one `QAttention` for a layer's projection and attention, without padding; return the contexts.

    In a graph after `factors`. Reads the projection's activation u8 as `[b, s, k]`, which `rows.keep` sees
    to; the contexts are `[b, s, h]`. Each head's query, key and value are made by the thread that reads them.
    To the bit what the packed graph says of rows without padding.
    """
    projection = names.node(graph, f"{layer}_qkv_int8")
    terms, weight, scale, scales, zero_point, _, bias = projection.inputs
    return Chain(graph, None, f"{layer}_{prefix}").add(
        "QAttention",
        [terms, weight, bias, scale, scales, None, zero_point],
        "attention",
        domain=ops.MICROSOFT,
        num_heads=len(ops.array(projection, _BIAS)) // 3 // _head_width(graph, layer),
    )
