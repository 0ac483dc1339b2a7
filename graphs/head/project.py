"""Project before pooling: a linear head's share of a mean is the mean of its share of each token."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from core.contract import FEATURES
from core.errors import GraphError
from graphs.edit import names, ops
from graphs.edit.chain import Chain


def _mean_of(graph: ir.Graph, chain: Chain, layer: int, total: ir.Value) -> ir.Value:
    """Append the mean of `[t, columns]` over each row's tokens, as that of a layer is made."""
    tokens = names.node(graph, names.TOKENS_OF_PLACES).outputs[0]
    row = ops.read(names.node(graph, names.MEAN_SUM.format(layer)))
    count = ops.read(names.node(graph, names.FEATURE.format(layer, "mean")), 1)
    axis = ops.read(names.node(graph, names.TOKEN_WEIGHTS_ROW), 1)
    padded = chain.add("Gather", [total, tokens], "tokens", axis=0)
    summed = chain.add("Squeeze", [chain.add("MatMul", [row, padded], "sum_row"), axis], "sum")
    return chain.add("Div", [summed, count], "mean")


def _projected(chain: Chain, layer: int, weight: np.ndarray, total: ir.Value) -> ir.Value:
    """Append the product of a layer's hidden state `[t, h]`, added to a total."""
    name = names.MEAN_SUM.format(layer)
    hidden = ops.read(ops.producer(ops.read(names.node(chain.graph, name), 1), "Gather", name))
    alone = Chain(chain.graph, chain.before, names.PROJECTION.format(layer))
    share = alone.constant("weight", np.ascontiguousarray(weight))
    return chain.insert(ops.node("Gemm", [hidden, share, total], alone.prefix))


def project(model: ir.Model, poolings: Sequence[tuple[int, str]], head: str) -> int:
    """Let a linear head read each mean's tokens instead of the mean, in place.

    In: a packed graph, `Gemm(Concat(poolings), weight, bias)` called `head`. Out: for those that are
    means, one `Gemm` each on `[t, h]`, which adds to the one before, and a single mean over `[t, columns]`
    at their end; for the others the `Gemm` as it was. Exact up to rounding: pooling is linear, and the
    mean of a constant bias is the bias. Saves laying out `[b, p, h]` once a mean.

    Returns:
        The number of means that went.

    Raises:
        GraphError: the graph is not of that form.
    """
    graph = model.graph
    means = [layer for layer, pooling in poolings if pooling == "mean"]
    if not means:
        return 0
    gemm, joined = names.node(graph, head), names.node(graph, FEATURES)
    if ops.read(gemm) is not joined.outputs[0]:
        raise GraphError(f"{head}: expected a Gemm of the features")
    rows = np.split(ops.array(gemm, 1), len(poolings))
    chain = Chain(graph, gemm, names.PROJECTED)
    total = ops.read(gemm, 2)
    for (layer, pooling), weight in zip(poolings, rows, strict=True):
        if pooling == "mean":
            total = _projected(chain, layer, weight, total)
    mean = _mean_of(graph, chain, means[0], total)
    others = [index for index, (_, pooling) in enumerate(poolings) if pooling != "mean"]
    if others:
        rest = ops.constant(graph, f"{head}_weight", np.concatenate([rows[index] for index in others]))
        kept = [joined.inputs[index] for index in others]
        for index, value in enumerate((chain.add("Concat", kept, "others", axis=1), rest, mean)):
            gemm.replace_input_with(index, value)
    else:
        logits = gemm.outputs[0]
        ops.replace(logits, mean)
        if not mean.is_graph_output():
            logits.name, mean.name = mean.name, logits.name
    ops.remove_unused(model)
    return len(means)
