"""Merge a linear head: one Gemm, one Sigmoid, and the contract's outputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core.build.facts import HeadInfo
from core.contract import BATCH_AXIS, FEATURES, LOGITS, PREDICTIONS, PROBABILITIES, SENTENCE_EMBEDDING
from core.decisions import threshold_vector
from graphs.edit import legal, names, ops
from graphs.edit.chain import Chain
from graphs.head.files import LinearHead


def head_node(contract: str) -> str:
    """Return the name of the head's Gemm under a contract."""
    return LOGITS if contract == "stacked" else names.LOGIT_PAIRS


def embedding_of(model: ir.Model) -> ir.Value:
    """Return the encoder's one output: the sentence embedding, or the features.

    Raises:
        GraphError: there is another.
    """
    legal.check_outputs(model.graph, [SENTENCE_EMBEDDING], [FEATURES])
    return model.graph.outputs[0]


def stack(graph: ir.Graph, logits: ir.Value, probabilities: ir.Value, info: HeadInfo) -> None:
    """Append `probabilities >= thresholds`, and make the three the graph's outputs."""
    chain = Chain(graph)
    thresholds = chain.floats("thresholds", threshold_vector(info.thresholds, info.labels))
    predictions = chain.add("GreaterOrEqual", [probabilities, thresholds], PREDICTIONS)
    dtypes = (ir.DataType.FLOAT, ir.DataType.FLOAT, ir.DataType.BOOL)
    graph.outputs[:] = [
        ops.typed(value, dtype, [BATCH_AXIS, len(info.labels)])
        for value, dtype in zip((logits, probabilities, predictions), dtypes, strict=True)
    ]


def split_pairs(graph: ir.Graph, pairs: ir.Value, order: Sequence[str]) -> None:
    """Cut `[b, 2 * labels]` into one output `[b, 2]` a label, named as the label."""
    split = Chain(graph).several("Split", [pairs], "pair", len(order), axis=1, num_outputs=len(order))
    for label, value in zip(order, split, strict=True):
        value.name = label
        ops.typed(value, ir.DataType.FLOAT, [BATCH_AXIS, 2])
    graph.outputs[:] = split


def _logistic(
    model: ir.Model, weight: NDArray[np.float32], bias: NDArray[np.float32], logits: str, probabilities: str
) -> tuple[ir.Value, ir.Value]:
    """Append `Gemm` and `Sigmoid` to the encoder's output; return both results."""
    chain, embedding = Chain(model.graph), embedding_of(model)
    parameters = [chain.constant("head_weight", weight), chain.constant("head_bias", bias)]
    product = chain.add("Gemm", [embedding, *parameters], logits)
    return product, chain.add("Sigmoid", [product], probabilities)


def stacked(model: ir.Model, head: LinearHead) -> int:
    """Append the head: outputs `logits`, `probabilities`, `predictions`, each `[b, labels]`.

    Out: `Gemm` (logits), `Sigmoid` (probabilities), `GreaterOrEqual` with the thresholds.

    Returns:
        1, the number of heads merged.
    """
    stack(model.graph, *_logistic(model, head.weight_hl, head.bias_l, LOGITS, PROBABILITIES), head.info)
    return 1


def per_label(model: ir.Model, head: LinearHead) -> int:
    """Append the head in the published form: one output `[b, 2]` a label, in the head's own order.

    Out: one `Gemm` whose columns are -z and z of each label, one `Sigmoid`, one `Split`. Exact:
    `1 - sigmoid(z) = sigmoid(-z)`.

    Returns:
        1, the number of heads merged.
    """
    order = head.info.output_order
    columns = [head.info.labels.index(label) for label in order]
    signs = np.tile(np.array([-1, 1], np.float32), len(order))
    weight = np.repeat(head.weight_hl[:, columns], 2, axis=1) * signs
    bias = np.repeat(head.bias_l[columns], 2) * signs
    _, pairs = _logistic(model, weight, bias, names.LOGIT_PAIRS, "probability_pairs")
    split_pairs(model.graph, pairs, order)
    return 1
