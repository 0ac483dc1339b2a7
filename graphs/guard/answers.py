"""Take the end of a graph off, which follows from its probabilities, and put it on again."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from core.build.facts import HeadInfo
from core.contract import BATCH_AXIS, PREDICTIONS, PROBABILITIES
from core.errors import GraphError
from graphs.edit import legal, names, ops
from graphs.head import merge


def _stacked(graph: ir.Graph) -> bool:
    return any(value.name == PREDICTIONS for value in graph.outputs)


def cut(model: ir.Model, info: HeadInfo) -> int:
    """Take the decisions off, or the split of the labels' pairs, in place.

    In: a graph of either contract. Out: the same without `predictions`; or, in place of one output `[b, 2]` a
    label, `answer_pairs` `[b, 2 labels]` in the head's own order. Other outputs stay.

    Returns:
        1, the number of ends cut.

    Raises:
        GraphError: the outputs are of neither contract.
    """
    graph = model.graph
    if _stacked(graph):
        graph.outputs[:] = [value for value in graph.outputs if value.name != PREDICTIONS]
        ops.remove_unused(model)
        return 1
    order, others = info.output_order, list(graph.outputs)[len(info.output_order) :]
    split = graph.outputs[0].producer() if graph.outputs else None
    if split is None or split.op_type != "Split" or [v.name for v in split.outputs] != list(order):
        legal.check_outputs(graph, order)
        raise GraphError("found outputs of the labels that no Split makes")
    pairs = ops.read(split)
    graph.outputs[:] = others
    graph.remove(split, safe=True)
    pairs.name = names.ANSWER_PAIRS
    graph.outputs[:] = [ops.typed(pairs, ir.DataType.FLOAT, [BATCH_AXIS, 2 * len(order)]), *others]
    ops.remove_unused(model)
    return 1


def probabilities(graph: ir.Graph) -> ir.Value:
    """Return what decisions are made from in a graph after `cut`: probabilities, or the labels' pairs.

    Raises:
        GraphError: there is neither.
    """
    for value in graph.outputs:
        if value.name in (PROBABILITIES, names.ANSWER_PAIRS):
            return value
    raise GraphError(f"found outputs {[value.name for value in graph.outputs]}; `cut` must come before")


def finish(model: ir.Model, info: HeadInfo) -> int:
    """Put on what `cut` took off, in place.

    Returns:
        1, the number of ends.

    Raises:
        GraphError: as `probabilities`.
    """
    graph = model.graph
    outputs: Sequence[ir.Value] = list(graph.outputs)
    answers = probabilities(graph)
    others = [value for value in outputs if value is not answers]
    if answers.name == names.ANSWER_PAIRS:
        merge.split_pairs(graph, answers, info.output_order)
        graph.outputs.extend(others)
        return 1
    logits, *rest = others
    merge.stack(graph, logits, answers, info)
    graph.outputs.extend(rest)
    return 1
