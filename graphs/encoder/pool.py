"""Pooling: token embeddings to one sentence embedding, as the recipe says."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from core.contract import (
    ATTENTION_MASK,
    BATCH_AXIS,
    LAST_HIDDEN_STATE,
    SENTENCE_EMBEDDING,
    SEQUENCE_AXIS,
    Pooling,
)
from core.errors import GraphError
from graphs.edit import ops


def _cls(graph: ir.Graph, hidden: ir.Value) -> list[ir.Node]:
    first = ops.constant(graph, "first_token", np.array(0, np.int64))
    return [ops.node("Gather", [hidden, first], "pooled", attributes={"axis": 1})]


def _mean(graph: ir.Graph, hidden: ir.Value, *, divide: bool) -> list[ir.Node]:
    mask = ops.input_named(graph, ATTENTION_MASK)
    one = ops.constant(graph, "axis_1", np.array([1], np.int64))
    weights = ops.node("Cast", [mask], "token_weights", attributes={"to": ir.DataType.FLOAT})
    ops.typed(weights.outputs[0], ir.DataType.FLOAT, [BATCH_AXIS, SEQUENCE_AXIS])
    row = ops.node("Unsqueeze", [weights.outputs[0], one], "token_weights_row")
    product = ops.node("MatMul", [row.outputs[0], hidden], "token_sum_row")
    total = ops.node("Squeeze", [product.outputs[0], one], "token_sum")
    nodes = [weights, row, product, total]
    if divide:
        # As sentence-transformers clamps it: a row without a token gives zeros, not NaN.
        smallest = ops.constant(graph, "smallest_count", np.array(1e-9, np.float32))
        count = ops.node("ReduceSum", [weights.outputs[0], one], "token_count")
        clamped = ops.node("Max", [count.outputs[0], smallest], "token_count_clamped")
        mean = ops.node("Div", [total.outputs[0], clamped.outputs[0]], "pooled")
        nodes += [count, clamped, mean]
    return nodes


def pool(model: ir.Model, pooling: Pooling, normalize: bool) -> int:
    """Pool the last hidden state, and normalize it to length 1 where asked.

    In: the output `last_hidden_state` `[b, s, h]`. Out: the output `sentence_embedding` `[b, h]`.
    Exact up to rounding: a mean over the mask is a matrix product with the mask; where it is
    normalized afterwards, the division by the count cancels and is left out.

    Returns:
        1, the number of outputs pooled.

    Raises:
        GraphError: the graph's output is not the last hidden state.
    """
    graph = model.graph
    if [value.name for value in graph.outputs] != [LAST_HIDDEN_STATE]:
        found = [value.name for value in graph.outputs]
        raise GraphError(f"found outputs {found}, expected {LAST_HIDDEN_STATE}")
    hidden = graph.outputs[0]
    width = hidden.shape[2] if hidden.shape is not None else None
    if not isinstance(width, int):
        raise GraphError(f"{LAST_HIDDEN_STATE}: found shape {hidden.shape}, expected a fixed width")
    nodes = _cls(graph, hidden) if pooling == "cls" else _mean(graph, hidden, divide=not normalize)
    if normalize:
        pooled = nodes[-1].outputs[0]
        nodes.append(ops.node("LpNormalization", [pooled], "normalized", attributes={"axis": -1, "p": 2}))
    graph.extend(nodes)
    embedding = nodes[-1].outputs[0]
    embedding.name = SENTENCE_EMBEDDING
    ops.typed(embedding, ir.DataType.FLOAT, [BATCH_AXIS, width])
    graph.outputs[:] = [embedding]
    return 1
