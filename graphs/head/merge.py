"""Merge a linear head: one Gemm, one Sigmoid or Softmax, and the contract's outputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core.build.facts import HeadInfo
from core.contract import (
    BATCH_AXIS,
    FEATURES,
    LOGITS,
    MULTI_LABEL,
    PREDICTIONS,
    PROBABILITIES,
    SENTENCE_EMBEDDING,
    SINGLE_LABEL,
    ProblemType,
)
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


def _highest(chain: Chain, probabilities: ir.Value, labels: int) -> ir.Value:
    """Append which label of a row is the highest, the first of equals; bool `[b, labels]`."""
    winner = chain.add("ArgMax", [probabilities], "winner", axis=1, keepdims=1)
    return chain.add("Equal", [winner, chain.integers("label_numbers", range(labels))], "is_winner")


def _decide(chain: Chain, probabilities: ir.Value, info: HeadInfo) -> ir.Value:
    """Append the decisions as `core.decisions.decide` makes them; bool `[b, labels]`."""
    thresholds = chain.floats("thresholds", threshold_vector(info.thresholds, info.labels))
    if info.problem_type != SINGLE_LABEL:
        return chain.add("GreaterOrEqual", [probabilities, thresholds], PREDICTIONS)
    reached = chain.add("GreaterOrEqual", [probabilities, thresholds], "reaches_threshold")
    return chain.add("And", [_highest(chain, probabilities, len(info.labels)), reached], PREDICTIONS)


def stack(graph: ir.Graph, logits: ir.Value, probabilities: ir.Value, info: HeadInfo) -> None:
    """Append the decisions, and make the three the graph's outputs."""
    predictions = _decide(Chain(graph), probabilities, info)
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
    model: ir.Model,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    logits: str,
    probabilities: str,
    problem_type: ProblemType,
) -> tuple[ir.Value, ir.Value]:
    """Append `Gemm`, and `Sigmoid` or `Softmax`, to the encoder's output; return both results."""
    chain, embedding = Chain(model.graph), embedding_of(model)
    parameters = [chain.constant("head_weight", weight), chain.constant("head_bias", bias)]
    product = chain.add("Gemm", [embedding, *parameters], logits)
    if problem_type == SINGLE_LABEL:
        return product, chain.add("Softmax", [product], probabilities, axis=1)
    return product, chain.add("Sigmoid", [product], probabilities)


def stacked(model: ir.Model, head: LinearHead) -> int:
    """Append the head: outputs `logits`, `probabilities`, `predictions`, each `[b, labels]`.

    Out: `Gemm` (logits), `Sigmoid` (probabilities), `GreaterOrEqual` with the thresholds. Of a single-label
    head `Softmax` is in the place of `Sigmoid`, and of what reaches its threshold only the highest counts:
    `ArgMax`, `Equal`, `And`.

    Returns:
        1, the number of heads merged.
    """
    parameters = head.weight_hl, head.bias_l, LOGITS, PROBABILITIES, head.info.problem_type
    stack(model.graph, *_logistic(model, *parameters), head.info)
    return 1


def per_label(model: ir.Model, head: LinearHead) -> int:
    """Append the head in the published form: one output `[b, 2]` a label, in the head's own order.

    Out: one `Gemm` whose columns are -z and z of each label, one `Sigmoid`, one `Split`. Exact:
    `1 - sigmoid(z) = sigmoid(-z)`. A single-label head has no such form: `HeadInfo.check_contract`.

    Returns:
        1, the number of heads merged.
    """
    order = head.info.output_order
    columns = [head.info.labels.index(label) for label in order]
    signs = np.tile(np.array([-1, 1], np.float32), len(order))
    weight = np.repeat(head.weight_hl[:, columns], 2, axis=1) * signs
    bias = np.repeat(head.bias_l[columns], 2) * signs
    _, pairs = _logistic(model, weight, bias, names.LOGIT_PAIRS, "probability_pairs", MULTI_LABEL)
    split_pairs(model.graph, pairs, order)
    return 1
