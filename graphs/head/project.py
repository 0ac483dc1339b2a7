"""Projecting before pooling: a linear head's share of a mean is the mean of its share of each token."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from core.contract import FEATURES
from core.errors import GraphError
from graphs.edit import ops
from graphs.edit.chain import Chain
from graphs.edit.names import MEAN_SUM, PART

PROJECTION = "feature_{}_projection"


def _hidden(named: dict[str | None, ir.Node], layer: int) -> ir.Value:
    """Return the hidden state `[t, h]` that a packed mean pools."""
    padded = named[MEAN_SUM.format(layer)].inputs[1]
    gather = padded.producer() if padded is not None else None
    if gather is None or gather.op_type != "Gather" or gather.inputs[0] is None:
        raise GraphError(f"{MEAN_SUM.format(layer)}: expected a gather of tokens before it")
    return gather.inputs[0]


def project(model: ir.Model, parts: Sequence[tuple[int, str]], head: str) -> int:
    """Let a linear head read each mean's tokens instead of the mean, in place.

    In: a packed graph, `Gemm(Concat(parts), weight, bias)` called `head`. Out: for the parts that are
    means, one `Gemm` each on `[t, h]`, which adds to the one before, and a single mean over `[t, columns]`
    at their end; for the others the `Gemm` as it was. Exact up to rounding: pooling is linear, and the
    mean of a constant bias is the bias. Saves laying out `[b, p, h]` once a part.

    Returns:
        The number of means that went.

    Raises:
        GraphError: the graph is not of that form.
    """
    graph = model.graph
    named = {node.name: node for node in graph}
    means = [layer for layer, pooling in parts if pooling == "mean"]
    if not means:
        return 0
    try:
        joined, gemm = named[FEATURES], named[head]
        first = named[MEAN_SUM.format(means[0])]
        divided = named[PART.format(means[0], "mean")]
        tokens = named["layout_tokens_of_places"].outputs[0]
    except KeyError as error:
        raise GraphError(f"found no node {error}, expected packed features and a linear head") from error
    row, count, axis = first.inputs[0], divided.inputs[1], named["token_weights_row"].inputs[1]
    weight, bias = gemm.inputs[1], gemm.inputs[2]
    if gemm.inputs[0] is not joined.outputs[0] or weight is None or bias is None:
        raise GraphError(f"{head}: expected a Gemm of the features")
    rows = np.split(ops.array_of(weight), len(parts))
    chain = Chain(graph, gemm, "projected")
    total = bias
    for (layer, pooling), part in zip(parts, rows, strict=True):
        if pooling == "mean":
            name = PROJECTION.format(layer)
            share = ops.constant(graph, f"{name}_weight", np.ascontiguousarray(part))
            made = ops.node("Gemm", [_hidden(named, layer), share, total], name)
            graph.insert_before(gemm, made)
            total = made.outputs[0]
    padded = chain.add("Gather", [total, tokens], "tokens", axis=0)
    summed = chain.add("Squeeze", [chain.add("MatMul", [row, padded], "sum_row"), axis], "sum")
    mean = chain.add("Div", [summed, count], "mean")
    others = [index for index, (_, pooling) in enumerate(parts) if pooling != "mean"]
    if others:
        rest = ops.constant(graph, f"{head}_weight", np.concatenate([rows[index] for index in others]))
        kept = [joined.inputs[index] for index in others]
        gemm.replace_input_with(0, chain.add("Concat", kept, "others", axis=1))
        gemm.replace_input_with(1, rest)
        gemm.replace_input_with(2, mean)
    else:
        replaced = gemm.outputs[0]
        if replaced.is_graph_output():
            mean.type, mean.shape = replaced.type, replaced.shape
        replaced.name, mean.name = mean.name, replaced.name
        replaced.replace_all_uses_with(mean, replace_graph_outputs=True)
    ops.remove_unused(model)
    return len(means)
