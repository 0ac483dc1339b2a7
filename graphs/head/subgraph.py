"""Merge a head that is not linear: its own graph, unchanged, behind the encoder."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from core.contract import BATCH_AXIS, LOGITS, PROBABILITIES
from core.errors import GraphError
from graphs.edit import ops
from graphs.edit.chain import Chain
from graphs.head.files import SubgraphHead
from graphs.head.merge import embedding_of, split_pairs, stack

_PREFIX = "head/"


def _rename(head: ir.Model) -> None:
    """Give all of a head names that no node of an encoder has."""
    for value in [*head.graph.inputs, *head.graph.initializers.values()]:
        value.name = f"{_PREFIX}{value.name}"
    for index, node in enumerate(list(head.graph.all_nodes())):
        node.name = f"{_PREFIX}{index}_{node.op_type}"
        for value in node.outputs:
            value.name = f"{_PREFIX}{value.name}"


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
        embedding = Chain(model.graph).cast(embedding, entry.dtype, f"{_PREFIX}input")
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


def stacked(model: ir.Model, head: SubgraphHead) -> int:
    """Append the head's graph; outputs `logits`, `probabilities`, `predictions`, `[b, labels]`.

    `probabilities` are the head's own; `logits` are their log-odds, at most ±87.3 where a
    probability is 0 or 1 (float32's smallest normal number stands for 0).

    Returns:
        1, the number of heads merged.
    """
    chain, info = Chain(model.graph), head.info
    pairs = _pairs(chain, head, _inline(model, head.model))
    columns = np.array([info.output_order.index(label) for label in info.labels])
    tiny = chain.floats("tiny", np.finfo(np.float32).tiny)
    logarithms = []
    for name, offset in (("negative", 0), (PROBABILITIES, 1)):
        index = chain.integers(f"{name}_columns", 2 * columns + offset)
        picked = chain.add("Gather", [pairs, index], name, axis=1)
        ops.typed(picked, ir.DataType.FLOAT, [BATCH_AXIS, len(info.labels)])
        clamped = chain.add("Max", [picked, tiny], f"{name}_clamped")
        logarithms.append(chain.add("Log", [clamped], f"{name}_log"))
    stack(model.graph, chain.add("Sub", logarithms[::-1], LOGITS), picked, info)
    ops.remove_unused(model)
    return 1
