"""Pool token embeddings to one sentence embedding, as the recipe says."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from core.build.dense import DenseLayer
from core.contract import (
    ATTENTION_MASK,
    BATCH_AXIS,
    LAST_HIDDEN_STATE,
    SENTENCE_EMBEDDING,
    SEQUENCE_AXIS,
    Pooling,
)
from core.errors import GraphError
from graphs.edit import legal, names, ops
from graphs.edit.chain import Chain
from graphs.encoder.dense import dense


def first_token(chain: Chain, hidden: ir.Value, first: ir.Value, name: str) -> ir.Value:
    """Append the first token of each row; `[b, s, h]` → `[b, h]`."""
    return chain.add("Gather", [hidden, first], name, axis=1)


def token_weights(chain: Chain) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Append the mask as float32 `[b, s]` and `[b, 1, s]`; return both, and the axis between them."""
    axis = chain.integers("axis_1", [1])
    mask = ops.input_named(chain.graph, ATTENTION_MASK)
    weights = chain.cast(mask, ir.DataType.FLOAT, names.TOKEN_WEIGHTS)
    ops.typed(weights, ir.DataType.FLOAT, [BATCH_AXIS, SEQUENCE_AXIS])
    return weights, chain.add("Unsqueeze", [weights, axis], names.TOKEN_WEIGHTS_ROW), axis


def token_count(chain: Chain, weights: ir.Value, axis: ir.Value) -> ir.Value:
    """Append the number of each row's tokens, float32 `[b, 1]`."""
    # As sentence-transformers clamps it: a row without a token gives zeros, not NaN.
    smallest = chain.floats("smallest_count", 1e-9)
    count = chain.add("ReduceSum", [weights, axis], "token_count")
    return chain.add("Max", [count, smallest], "token_count_clamped")


def _mean(chain: Chain, hidden: ir.Value, *, divide: bool) -> ir.Value:
    weights, row, axis = token_weights(chain)
    product = chain.add("MatMul", [row, hidden], names.TOKEN_SUM)
    total = chain.add("Squeeze", [product, axis], "token_sum")
    return chain.add("Div", [total, token_count(chain, weights, axis)], names.POOLED) if divide else total


def pool(model: ir.Model, pooling: Pooling, normalize: bool, layers: Sequence[DenseLayer] = ()) -> int:
    """Pool the last hidden state, and normalize it to length 1 where asked.

    In: the output `last_hidden_state` `[b, s, h]`. Out: the output `sentence_embedding` `[b, h]`, or of the
    width that linear `layers` between pooling and normalization give.
    Exact up to rounding: a mean over the mask is a matrix product with the mask; where it is
    normalized at once, the division by the count cancels and is left out.

    Returns:
        1, the number of outputs pooled.

    Raises:
        GraphError: the graph's output is not the last hidden state.
    """
    graph = model.graph
    legal.check_outputs(graph, [LAST_HIDDEN_STATE])
    hidden = graph.outputs[0]
    width = hidden.shape[2] if hidden.shape is not None else None
    if not isinstance(width, int):
        raise GraphError(f"{LAST_HIDDEN_STATE}: found shape {hidden.shape}, expected a fixed width")
    chain = Chain(graph)
    if pooling == "cls":
        embedding = first_token(chain, hidden, chain.integers("first_token", 0), names.POOLED)
    else:
        embedding = _mean(chain, hidden, divide=bool(layers) or not normalize)
    if layers:
        embedding, width = dense(chain, embedding, layers), len(layers[-1].bias_o)
    if normalize:
        embedding = chain.add("LpNormalization", [embedding], "normalized", axis=-1, p=2)
    embedding.name = SENTENCE_EMBEDDING
    graph.outputs[:] = [ops.typed(embedding, ir.DataType.FLOAT, [BATCH_AXIS, width])]
    return 1
