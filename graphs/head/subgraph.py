"""Merging a head that is not linear: its own graph, unchanged, behind the encoder."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from core.contract import BATCH_AXIS, LOGITS, PROBABILITIES
from core.errors import GraphError
from graphs.edit import ops
from graphs.head.files import SubgraphHead
from graphs.head.merge import decide, embedding_of, split_pairs

_PREFIX = "head/"


def _inline(model: ir.Model, head: ir.Model) -> dict[str, ir.Value]:
    """Move the head's nodes behind the encoder; return its outputs by their own names."""
    ir.passes.common.InlinePass()(head)
    for domain, version in head.opset_imports.items():
        known = model.opset_imports.setdefault(domain, version)
        if known != version:
            raise GraphError(f"the head has opset {domain or 'ai.onnx'} {version}, expected {known}")
    outputs = {str(value.name): value for value in head.graph.outputs}
    for value in [*head.graph.inputs, *head.graph.initializers.values()]:
        value.name = f"{_PREFIX}{value.name}"
    for index, node in enumerate(list(head.graph.all_nodes())):
        node.name = f"{_PREFIX}{index}_{node.op_type}"
        for value in node.outputs:
            value.name = f"{_PREFIX}{value.name}"
    embedding = embedding_of(model)
    (entry,) = head.graph.inputs
    source = embedding
    if entry.dtype is not None and entry.dtype != embedding.dtype:
        cast = ops.node("Cast", [embedding], f"{_PREFIX}input", attributes={"to": entry.dtype})
        model.graph.append(cast)
        source = cast.outputs[0]
    entry.replace_all_uses_with(source)
    initializers = list(head.graph.initializers.values())
    head.graph.outputs.clear()
    head.graph.initializers.clear()
    for initializer in initializers:
        model.graph.register_initializer(initializer)
    nodes = list(head.graph)
    head.graph.remove(nodes)
    model.graph.extend(nodes)
    return outputs


def _append(graph: ir.Graph, node: ir.Node) -> ir.Value:
    graph.append(node)
    return node.outputs[0]


def _pairs(graph: ir.Graph, head: SubgraphHead, outputs: dict[str, ir.Value]) -> ir.Value:
    """Return `[b, 2 * labels]`, pairs in the order of the head's own outputs."""
    info = head.info
    if info.layout == "columns":
        positive = _float(graph, outputs[str(info.output)])
        one = ops.constant(graph, "one", np.array(1, np.float32))
        negative = _append(graph, ops.node("Sub", [one, positive], "complement"))
        last = ops.constant(graph, "axis_last", np.array([-1], np.int64))
        both = [
            _append(graph, ops.node("Unsqueeze", [value, last], f"{value.name}_column"))
            for value in (negative, positive)
        ]
        joined = _append(graph, ops.node("Concat", both, "pair_stack", attributes={"axis": -1}))
        flat = ops.constant(graph, "pair_shape", np.array([-1, 2 * len(info.labels)], np.int64))
        return _append(graph, ops.node("Reshape", [joined, flat], "probability_pairs"))
    if info.layout == "sequence":
        joined = _append(
            graph,
            ops.node(
                "ConcatFromSequence",
                [outputs[str(info.output)]],
                "pair_columns",
                attributes={"axis": 1},
            ),
        )
    else:
        named = [outputs[label] for label in info.output_order]
        joined = _append(graph, ops.node("Concat", named, "pair_columns", attributes={"axis": 1}))
    return _float(graph, joined)


def _float(graph: ir.Graph, value: ir.Value) -> ir.Value:
    cast = ops.node("Cast", [value], f"{value.name}_float", attributes={"to": ir.DataType.FLOAT})
    return _append(graph, cast)


def per_label(model: ir.Model, head: SubgraphHead) -> int:
    """Append the head's graph and its answers as one output `[b, 2]` a label, in its own order.

    Returns:
        1, the number of heads merged.
    """
    pairs = _pairs(model.graph, head, _inline(model, head.model))
    model.graph.outputs[:] = split_pairs(model.graph, pairs, head.info.output_order)
    ops.remove_unused(model)
    return 1


def stacked(model: ir.Model, head: SubgraphHead) -> int:
    """Append the head's graph; outputs `logits`, `probabilities`, `predictions`, `[b, labels]`.

    `probabilities` are the head's own; `logits` are their log-odds, at most ±87.3 where a
    probability is 0 or 1 (float32's smallest normal number stands for 0).

    Returns:
        1, the number of heads merged.
    """
    graph, info = model.graph, head.info
    pairs = _pairs(graph, head, _inline(model, head.model))
    columns = np.array([info.output_order.index(label) for label in info.labels], np.int64)
    tiny = ops.constant(graph, "tiny", np.array(np.finfo(np.float32).tiny, np.float32))
    logarithms = []
    for name, offset in (("negative", 0), (PROBABILITIES, 1)):
        index = ops.constant(graph, f"{name}_columns", 2 * columns + offset)
        picked = _append(graph, ops.node("Gather", [pairs, index], name, attributes={"axis": 1}))
        ops.typed(picked, ir.DataType.FLOAT, [BATCH_AXIS, len(info.labels)])
        clamped = _append(graph, ops.node("Max", [picked, tiny], f"{name}_clamped"))
        logarithms.append(_append(graph, ops.node("Log", [clamped], f"{name}_log")))
    probabilities = picked
    logits = _append(graph, ops.node("Sub", logarithms[::-1], LOGITS))
    ops.typed(logits, ir.DataType.FLOAT, [BATCH_AXIS, len(info.labels)])
    graph.outputs[:] = [logits, probabilities, decide(graph, probabilities, info)]
    ops.remove_unused(model)
    return 1
