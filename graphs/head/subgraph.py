"""Merge a head that is not linear: its own graph, unchanged, behind the encoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from core.contract import BATCH_AXIS, LOGITS, PROBABILITIES, SINGLE_LABEL
from core.errors import GraphError
from graphs.edit import names, ops
from graphs.edit.chain import Chain
from graphs.head.files import SubgraphHead
from graphs.head.merge import embedding_of, split_pairs, stack


def _rename(head: ir.Model) -> None:
    """Give all of a head names that no node of an encoder has."""
    for value in [*head.graph.inputs, *head.graph.initializers.values()]:
        value.name = f"{names.HEAD}{value.name}"
    for index, node in enumerate(list(head.graph.all_nodes())):
        node.name = f"{names.HEAD}{index}_{node.op_type}"
        for value in node.outputs:
            value.name = f"{names.HEAD}{value.name}"


def _inline(model: ir.Model, head: ir.Model) -> dict[str, ir.Value]:
    """Move the head's nodes behind the encoder; return its outputs by their own names."""
    ir.passes.common.InlinePass()(head)
    for domain, version in head.opset_imports.items():
        known = model.opset_imports.setdefault(domain, version)
        if known != version:
            raise GraphError(f"the head has opset {domain or 'ai.onnx'} {version}, expected {known}")
    outputs = {str(value.name): value for value in head.graph.outputs}
    _rename(head)
    embedding = embedding_of(model)
    (entry,) = head.graph.inputs
    if entry.dtype is not None and entry.dtype != embedding.dtype:
        embedding = Chain(model.graph).cast(embedding, entry.dtype, f"{names.HEAD}input")
    entry.replace_all_uses_with(embedding)
    nodes, _, initializers = ops.take_apart(head.graph)
    for initializer in initializers:
        model.graph.register_initializer(initializer)
    model.graph.extend(nodes)
    return outputs


def _float(chain: Chain, value: ir.Value) -> ir.Value:
    return chain.cast(value, ir.DataType.FLOAT, f"{value.name}_float")


def _pairs(chain: Chain, head: SubgraphHead, outputs: dict[str, ir.Value]) -> ir.Value:
    """Return `[b, 2 * labels]`, pairs in the order of the head's own outputs."""
    info = head.info
    if info.layout == "columns":
        positive = _float(chain, outputs[str(info.output)])
        negative = chain.add("Sub", [chain.floats("one", 1), positive], "complement")
        last = chain.integers("axis_last", [-1])
        both = [
            chain.add("Unsqueeze", [value, last], f"{value.name}_column") for value in (negative, positive)
        ]
        joined = chain.add("Concat", both, "pair_stack", axis=-1)
        flat = chain.integers("pair_shape", [-1, 2 * len(info.labels)])
        return chain.add("Reshape", [joined, flat], "probability_pairs")
    if info.layout == "sequence":
        joined = chain.add("ConcatFromSequence", [outputs[str(info.output)]], "pair_columns", axis=1)
    else:
        joined = chain.add("Concat", [outputs[label] for label in info.output_order], "pair_columns", axis=1)
    return _float(chain, joined)


def per_label(model: ir.Model, head: SubgraphHead) -> int:
    """Append the head's graph and its answers as one output `[b, 2]` a label, in its own order.

    Returns:
        1, the number of heads merged.
    """
    pairs = _pairs(Chain(model.graph), head, _inline(model, head.model))
    split_pairs(model.graph, pairs, head.info.output_order)
    ops.remove_unused(model)
    return 1


def _picked(chain: Chain, value: ir.Value, columns: Sequence[int], name: str) -> tuple[ir.Value, ir.Value]:
    """Return columns of a value in a given order, called `name`, and their logarithms."""
    index = chain.integers(f"{name}_columns", columns)
    picked = chain.add("Gather", [value, index], name, axis=1)
    ops.typed(picked, ir.DataType.FLOAT, [BATCH_AXIS, len(columns)])
    clamped = chain.add("Max", [picked, chain.floats("tiny", np.finfo(np.float32).tiny)], f"{name}_clamped")
    return picked, chain.add("Log", [clamped], f"{name}_log")


def _softmax(chain: Chain, head: SubgraphHead, outputs: dict[str, ir.Value]) -> tuple[ir.Value, ir.Value]:
    info = head.info
    if info.layout != "columns":
        raise GraphError(f"a single-label head: found layout {info.layout}, expected columns")
    order = [info.output_order.index(label) for label in info.labels]
    probabilities, logits = _picked(chain, _float(chain, outputs[str(info.output)]), order, PROBABILITIES)
    logits.name = LOGITS
    return logits, probabilities


def _sigmoids(chain: Chain, head: SubgraphHead, outputs: dict[str, ir.Value]) -> tuple[ir.Value, ir.Value]:
    pairs = _pairs(chain, head, outputs)
    order = [2 * head.info.output_order.index(label) for label in head.info.labels]
    _, negative = _picked(chain, pairs, order, "negative")
    probabilities, positive = _picked(chain, pairs, [place + 1 for place in order], PROBABILITIES)
    return chain.add("Sub", [positive, negative], LOGITS), probabilities


def stacked(model: ir.Model, head: SubgraphHead) -> int:
    """Append the head's graph; outputs `logits`, `probabilities`, `predictions`, `[b, labels]`.

    `probabilities` are the head's own; `logits` are their log-odds, at most ±87.3 where a
    probability is 0 or 1 (float32's smallest normal number stands for 0). Of a single-label head they are
    the logarithms of the probabilities, whose softmax these are.

    Returns:
        1, the number of heads merged.
    """
    chain = Chain(model.graph)
    outputs = _inline(model, head.model)
    if head.info.problem_type == SINGLE_LABEL:
        logits, probabilities = _softmax(chain, head, outputs)
    else:
        logits, probabilities = _sigmoids(chain, head, outputs)
    stack(model.graph, logits, probabilities, head.info)
    ops.remove_unused(model)
    return 1
