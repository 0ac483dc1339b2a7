"""onnxruntime's own `QAttention`: an int8 projection and the attention that follows, a head at a time."""

from __future__ import annotations

import re

import numpy as np
import onnx_ir as ir

from graphs.edit import ops
from graphs.edit.chain import Chain
from graphs.int8.readers import array, replace

_SCORES = re.compile(r"(layer_\d+_)(long_|short_|cls_)scores")
# Of `MatMulIntegerToFloat(a, b, a_scale, b_scale, a_zero_point, b_zero_point, bias)`.
_COLUMN_SCALES, _BIAS = 3, 6


def _width(rows: ir.Node) -> int:
    """Return how wide a head is, from the node that reads a projection as rows of heads."""
    return int(array(rows, 1)[-1])


def _without_factor(graph: ir.Graph, projection: ir.Node, width: int) -> None:
    """Take 1/√d out of the query's columns of an int8 projection."""
    for index in (_COLUMN_SCALES, _BIAS):
        values = array(projection, index).copy()
        values[: len(values) // 3] *= np.sqrt(np.float32(width))
        replace(graph, projection, index, values)


def _fused_scores(graph: ir.Graph, scores: ir.Node, key_t: ir.Node, alpha: np.float32) -> None:
    """Replace `query @ transpose(key)` by the operator that transposes as it multiplies."""
    fused = ops.node(
        "FusedMatMul",
        [scores.inputs[0], key_t.inputs[0]],
        str(scores.name),
        attributes={"alpha": float(alpha), "transB": 1},
        domain=ops.MICROSOFT,
    )
    graph.insert_before(scores, fused)
    scores.outputs[0].replace_all_uses_with(fused.outputs[0])
    graph.remove(scores, safe=True)


def factors(model: ir.Model) -> list[str]:
    """Leave the scores' factor to the product that makes them, in place, where the projection is one in int8.

    `QAttention` multiplies its scores by 1/√d as it stores them. To say the same to the bit, a packed graph
    takes the factor out of the query's projection (`pack` put it there), and multiplies in the same place:
    `FusedMatMul` with that `alpha`. All scores become such products, so that onnxruntime lays out no
    transposed key: a product of one row would then add in another order.

    Returns:
        The layers with the factor: those for which `attend` can make a `QAttention`.
    """
    graph = model.graph
    named = {str(node.name): node for node in graph}
    found = []
    for name, node in named.items():
        match = _SCORES.fullmatch(name)
        if match is None:
            continue
        layer, alpha = match[1], np.float32(1)
        projection, rows = named.get(f"{layer}qkv_int8"), named.get(f"{layer}qkv_rows")
        # Only of a site with one int8 term are the rows those of a product.
        if projection is not None and rows is not None and rows.inputs[0] is projection.outputs[0]:
            width = _width(rows)
            if layer not in found:
                _without_factor(graph, projection, width)
                found.append(layer)
            alpha = np.float32(1) / np.sqrt(np.float32(width))
        _fused_scores(graph, node, named[f"{layer}{match[2]}key_t"], alpha)
    ops.remove_unused(model)
    return found


def attend(graph: ir.Graph, named: dict[str, ir.Node], layer: str, prefix: str) -> ir.Value:
    """Append one `QAttention` for a layer's projection and attention, without padding; return the contexts.

    In a graph after `factors`. Reads the projection's activation u8 as `[b, s, k]`, which `rows.keep` sees
    to; the contexts are `[b, s, h]`. Each head's query, key and value are made by the thread that reads them.
    To the bit what the packed graph says of rows without padding.
    """
    projection = named[f"{layer}qkv_int8"]
    terms, weight, step, scales, zero_point, _, bias = projection.inputs
    return Chain(graph, None, f"{layer}{prefix}").add(
        "QAttention",
        [terms, weight, bias, step, scales, None, zero_point],
        "attention",
        domain=ops.MICROSOFT,
        num_heads=len(array(projection, _BIAS)) // 3 // _width(named[f"{layer}qkv_rows"]),
    )
