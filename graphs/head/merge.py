"""Merging a linear head: one Gemm, one Sigmoid, and the contract's outputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from core.build.facts import HeadInfo
from core.contract import BATCH_AXIS, FEATURES, LOGITS, PREDICTIONS, PROBABILITIES, SENTENCE_EMBEDDING
from core.decisions import threshold_vector
from core.errors import GraphError
from graphs.edit import ops
from graphs.head.files import LinearHead

_LOGIT_PAIRS = "logit_pairs"


def head_node(contract: str) -> str:
    """Return the name of the head's Gemm under a contract."""
    return LOGITS if contract == "stacked" else _LOGIT_PAIRS


def embedding_of(model: ir.Model) -> ir.Value:
    """Return the encoder's one output: the sentence embedding, or the features.

    Raises:
        GraphError: there is another.
    """
    outputs = list(model.graph.outputs)
    if [value.name for value in outputs] not in ([SENTENCE_EMBEDDING], [FEATURES]):
        found = [value.name for value in outputs]
        raise GraphError(f"found outputs {found}, expected {SENTENCE_EMBEDDING} or {FEATURES}")
    return outputs[0]


def _rows(info: HeadInfo) -> list[int | str]:
    return [BATCH_AXIS, len(info.labels)]


def decide(graph: ir.Graph, probabilities: ir.Value, info: HeadInfo) -> ir.Value:
    """Append `probabilities >= thresholds` and return it."""
    thresholds = ops.constant(graph, "thresholds", threshold_vector(info.thresholds, info.labels))
    node = ops.node("GreaterOrEqual", [probabilities, thresholds], PREDICTIONS)
    graph.append(node)
    return ops.typed(node.outputs[0], ir.DataType.BOOL, _rows(info))


def stacked(model: ir.Model, head: LinearHead) -> int:
    """Append the head: outputs `logits`, `probabilities`, `predictions`, each `[b, labels]`.

    Out: `Gemm` (logits), `Sigmoid` (probabilities), `GreaterOrEqual` with the thresholds.

    Returns:
        1, the number of heads merged.
    """
    graph = model.graph
    embedding = embedding_of(model)
    weight = ops.constant(graph, "head_weight", head.weight_hl)
    bias = ops.constant(graph, "head_bias", head.bias_l)
    gemm = ops.node("Gemm", [embedding, weight, bias], LOGITS)
    sigmoid = ops.node("Sigmoid", [gemm.outputs[0]], PROBABILITIES)
    graph.extend([gemm, sigmoid])
    logits = ops.typed(gemm.outputs[0], ir.DataType.FLOAT, _rows(head.info))
    probabilities = ops.typed(sigmoid.outputs[0], ir.DataType.FLOAT, _rows(head.info))
    graph.outputs[:] = [logits, probabilities, decide(graph, probabilities, head.info)]
    return 1


def split_pairs(graph: ir.Graph, pairs: ir.Value, order: Sequence[str]) -> list[ir.Value]:
    """Cut `[b, 2 * labels]` into one output `[b, 2]` a label, named as the label."""
    split = ops.node(
        "Split",
        [pairs],
        "pair",
        attributes={"axis": 1, "num_outputs": len(order)},
        outputs=len(order),
    )
    graph.append(split)
    for label, value in zip(order, split.outputs, strict=True):
        value.name = label
        ops.typed(value, ir.DataType.FLOAT, [BATCH_AXIS, 2])
    return list(split.outputs)


def per_label(model: ir.Model, head: LinearHead) -> int:
    """Append the head in the published form: one output `[b, 2]` a label, in the head's own order.

    Out: one `Gemm` whose columns are -z and z of each label, one `Sigmoid`, one `Split`. Exact:
    `1 - sigmoid(z) = sigmoid(-z)`.

    Returns:
        1, the number of heads merged.
    """
    graph = model.graph
    order = head.info.output_order
    columns = [head.info.labels.index(label) for label in order]
    signs = np.tile(np.array([-1, 1], np.float32), len(order))
    weight = np.repeat(head.weight_hl[:, columns], 2, axis=1) * signs
    bias = np.repeat(head.bias_l[columns], 2) * signs
    gemm = ops.node(
        "Gemm",
        [
            embedding_of(model),
            ops.constant(graph, "head_weight", weight),
            ops.constant(graph, "head_bias", bias),
        ],
        _LOGIT_PAIRS,
    )
    sigmoid = ops.node("Sigmoid", [gemm.outputs[0]], "probability_pairs")
    graph.extend([gemm, sigmoid])
    graph.outputs[:] = split_pairs(graph, sigmoid.outputs[0], order)
    return 1
