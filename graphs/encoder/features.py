"""Features: several hidden states, each pooled in one or more ways, side by side."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from core.build.facts import EncoderInfo
from core.contract import ATTENTION_MASK, BATCH_AXIS, FEATURES, SEQUENCE_AXIS
from core.errors import GraphError
from graphs.edit import ops
from graphs.edit.names import MEAN_SUM, PART

# Names of the nodes that a later rewrite looks for, by layer.
MAX_KEPT = "feature_{}_max_kept"
WEIGHTS = "token_weights"
PRESENT = "token_present"
_LOWEST = np.finfo(np.float32).min


def _append(graph: ir.Graph, op_type: str, inputs: list[ir.Value], name: str, **attributes: int) -> ir.Value:
    made = ops.node(op_type, inputs, name, attributes=dict(attributes))
    graph.append(made)
    return made.outputs[0]


def _means(graph: ir.Graph, states: dict[int, ir.Value]) -> dict[int, ir.Value]:
    axis = ops.constant(graph, "axis_1", np.array([1], np.int64))
    weights = _append(graph, "Cast", [ops.input_named(graph, ATTENTION_MASK)], WEIGHTS, to=ir.DataType.FLOAT)
    ops.typed(weights, ir.DataType.FLOAT, [BATCH_AXIS, SEQUENCE_AXIS])
    row = _append(graph, "Unsqueeze", [weights, axis], "token_weights_row")
    # As sentence-transformers clamps it: a row without a token gives zeros, not NaN.
    smallest = ops.constant(graph, "smallest_count", np.array(1e-9, np.float32))
    count = _append(graph, "ReduceSum", [weights, axis], "token_count")
    count = _append(graph, "Max", [count, smallest], "token_count_clamped")
    found = {}
    for layer, hidden in states.items():
        product = _append(graph, "MatMul", [row, hidden], MEAN_SUM.format(layer))
        total = _append(graph, "Squeeze", [product, axis], f"feature_{layer}_mean_sum")
        found[layer] = _append(graph, "Div", [total, count], PART.format(layer, "mean"))
    return found


def _maxima(graph: ir.Graph, states: dict[int, ir.Value]) -> dict[int, ir.Value]:
    axis = ops.constant(graph, "axis_1", np.array([1], np.int64))
    last = ops.constant(graph, "axis_2", np.array([2], np.int64))
    lowest = ops.constant(graph, "lowest", np.array(_LOWEST, np.float32))
    present = _append(graph, "Cast", [ops.input_named(graph, ATTENTION_MASK)], PRESENT, to=ir.DataType.BOOL)
    column = _append(graph, "Unsqueeze", [present, last], "token_present_column")
    found = {}
    for layer, hidden in states.items():
        kept = _append(graph, "Where", [column, hidden, lowest], MAX_KEPT.format(layer))
        found[layer] = _append(graph, "ReduceMax", [kept, axis], PART.format(layer, "max"), keepdims=0)
    return found


def _firsts(graph: ir.Graph, states: dict[int, ir.Value]) -> dict[int, ir.Value]:
    first = ops.constant(graph, "first_token", np.array(0, np.int64))
    return {
        layer: _append(graph, "Gather", [hidden, first], PART.format(layer, "cls"), axis=1)
        for layer, hidden in states.items()
    }


_POOLINGS = {"mean": _means, "max": _maxima, "cls": _firsts}


def features(model: ir.Model, info: EncoderInfo) -> int:
    """Pool each hidden state as the recipe says, and concatenate the parts.

    In: outputs `hidden_state_N` `[b, s, h]`. Out: the output `features` `[b, parts * h]`, a part for
    each layer and pooling. Exact up to rounding: a mean over the mask is a product with the mask.

    Returns:
        The number of parts.

    Raises:
        GraphError: the graph has other outputs.
    """
    graph = model.graph
    if [value.name for value in graph.outputs] != info.outputs:
        found = [value.name for value in graph.outputs]
        raise GraphError(f"found outputs {found}, expected {info.outputs}")
    states = dict(zip(info.feature_layers, graph.outputs, strict=True))
    pooled = {}
    for pooling, rewrite in _POOLINGS.items():
        chosen = {layer: states[layer] for layer, how in info.feature_parts if how == pooling}
        pooled[pooling] = rewrite(graph, chosen) if chosen else {}
    parts = [pooled[pooling][layer] for layer, pooling in info.feature_parts]
    joined = _append(graph, "Concat", parts, FEATURES, axis=1)
    ops.typed(joined, ir.DataType.FLOAT, [BATCH_AXIS, info.features])
    graph.outputs[:] = [joined]
    return len(parts)
