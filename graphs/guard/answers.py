"""Take the end of a graph off, which follows from its answers text by text, and put it on again."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from core.build.facts import HeadInfo
from core.contract import BATCH_AXIS, LOGITS, MULTI_LABEL, PREDICTIONS, PROBABILITIES
from core.errors import GraphError
from graphs.edit import legal, names, ops
from graphs.edit.chain import Chain
from graphs.head import merge

_SCORES = {LOGITS, names.LOGIT_PAIRS, names.ANSWER_PAIRS, PROBABILITIES}
LOG_ODDS = {LOGITS, names.LOGIT_PAIRS}


def _by_sigmoid(info: HeadInfo) -> bool:
    return info.kind == "linear" and info.problem_type == MULTI_LABEL


def _pairs(graph: ir.Graph, order: Sequence[str]) -> ir.Value:
    """Remove the `Split` that makes an output a label; return what it reads."""
    split = graph.outputs[0].producer() if graph.outputs else None
    if split is None or split.op_type != "Split" or [v.name for v in split.outputs] != list(order):
        legal.check_outputs(graph, order)
        raise GraphError("found outputs of the labels that no Split makes")
    pairs = ops.read(split)
    graph.outputs[:] = list(graph.outputs)[len(order) :]
    graph.remove(split, safe=True)
    return pairs


def cut(model: ir.Model, info: HeadInfo) -> int:
    """Take off what follows from the logits, or else from the probabilities, in place.

    In: a graph of either contract. Out: of a linear multi-label head, `logits`, or `logit_pairs`
    `[b, 2 labels]` in the head's own order; of any other head `logits` and `probabilities`, or
    `answer_pairs`, which are probabilities. Other outputs stay. A `Sigmoid` is left to the end: onnxruntime
    may compute the last elements of a tensor by other instructions, and with them the last bit.

    Returns:
        1, the number of ends cut.

    Raises:
        GraphError: the outputs are of neither contract.
    """
    graph = model.graph
    if any(value.name == PREDICTIONS for value in graph.outputs):
        gone = {PREDICTIONS, PROBABILITIES} if _by_sigmoid(info) else {PREDICTIONS}
        graph.outputs[:] = [value for value in graph.outputs if value.name not in gone]
    else:
        pairs = _pairs(graph, info.output_order)
        pairs.name = names.ANSWER_PAIRS
        if _by_sigmoid(info):
            pairs = ops.read(ops.producer(pairs, "Sigmoid", "the labels' Split"))
            pairs.name = names.LOGIT_PAIRS
        ops.typed(pairs, ir.DataType.FLOAT, [BATCH_AXIS, 2 * len(info.labels)])
        graph.outputs.insert(0, pairs)
    ops.remove_unused(model)
    return 1


def scores(graph: ir.Graph) -> ir.Value:
    """Return what decisions follow from in a graph after `cut`, by its name: log-odds or probabilities.

    Raises:
        GraphError: there is neither.
    """
    found = [value for value in graph.outputs if value.name in _SCORES]
    if not found:
        raise GraphError(f"found outputs {[value.name for value in graph.outputs]}; `cut` must come before")
    return found[-1]


def finish(model: ir.Model, info: HeadInfo) -> int:
    """Put on what `cut` took off, in place.

    Returns:
        1, the number of ends.

    Raises:
        GraphError: as `scores`.
    """
    graph = model.graph
    answers = scores(graph)
    others = [value for value in graph.outputs if value.name not in _SCORES]
    if answers.name in (names.LOGIT_PAIRS, names.ANSWER_PAIRS):
        if answers.name == names.LOGIT_PAIRS:
            answers = Chain(graph).add("Sigmoid", [answers], names.ANSWER_PAIRS)
        merge.split_pairs(graph, answers, info.output_order)
    else:
        logits = graph.outputs[0]
        if answers is logits:
            answers = Chain(graph).add("Sigmoid", [logits], PROBABILITIES)
        merge.stack(graph, logits, answers, info)
    graph.outputs.extend(others)
    return 1
