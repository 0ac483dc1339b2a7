"""Pool several hidden states, each in one or more ways, side by side."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from core.build.facts import EncoderInfo
from core.contract import ATTENTION_MASK, BATCH_AXIS, FEATURES
from graphs.edit import legal, names, ops
from graphs.edit.chain import Chain
from graphs.encoder.pool import first_token, token_count, token_weights

States = dict[int, ir.Value]


def _means(chain: Chain, states: States) -> States:
    weights, row, axis = token_weights(chain)
    count = token_count(chain, weights, axis)
    pooled = {}
    for layer, hidden in states.items():
        product = chain.add("MatMul", [row, hidden], names.MEAN_SUM.format(layer))
        total = chain.add("Squeeze", [product, axis], f"feature_{layer}_mean_sum")
        pooled[layer] = chain.add("Div", [total, count], names.FEATURE.format(layer, "mean"))
    return pooled


def _maxima(chain: Chain, states: States) -> States:
    axis, last = chain.integers("axis_1", [1]), chain.integers("axis_2", [2])
    lowest = chain.floats("lowest", np.finfo(np.float32).min)
    mask = ops.input_named(chain.graph, ATTENTION_MASK)
    present = chain.cast(mask, ir.DataType.BOOL, names.TOKEN_PRESENT)
    column = chain.add("Unsqueeze", [present, last], "token_present_column")
    pooled = {}
    for layer, hidden in states.items():
        kept = chain.add("Where", [column, hidden, lowest], names.MAX_KEPT.format(layer))
        pooled[layer] = chain.add("ReduceMax", [kept, axis], names.FEATURE.format(layer, "max"), keepdims=0)
    return pooled


def _firsts(chain: Chain, states: States) -> States:
    first = chain.integers("first_token", 0)
    return {
        layer: first_token(chain, hidden, first, names.FEATURE.format(layer, "cls"))
        for layer, hidden in states.items()
    }


_POOLINGS = {"mean": _means, "max": _maxima, "cls": _firsts}


def features(model: ir.Model, info: EncoderInfo) -> int:
    """Pool each hidden state as the recipe says, and concatenate the results.

    In: outputs `hidden_state_N` `[b, s, h]`. Out: the output `features` `[b, poolings * h]`, one for
    each layer and pooling. Exact up to rounding: a mean over the mask is a product with the mask.

    Returns:
        The number of poolings.

    Raises:
        GraphError: the graph has other outputs.
    """
    graph = model.graph
    legal.check_outputs(graph, info.outputs)
    chain = Chain(graph)
    states = dict(zip(info.feature_layers, graph.outputs, strict=True))
    pooled = {}
    for pooling, rewrite in _POOLINGS.items():
        chosen = {layer: states[layer] for layer, how in info.feature_parts if how == pooling}
        pooled[pooling] = rewrite(chain, chosen) if chosen else {}
    joined = chain.add(
        "Concat", [pooled[pooling][layer] for layer, pooling in info.feature_parts], FEATURES, axis=1
    )
    graph.outputs[:] = [ops.typed(joined, ir.DataType.FLOAT, [BATCH_AXIS, info.features])]
    return len(info.feature_parts)
