"""Prune the last layer: with CLS pooling it is needed for one token a text."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from core.errors import GraphError
from graphs.edit import names, ops
from graphs.edit.chain import Chain
from graphs.packed.layout import whole
from graphs.packed.pack import attend, head_rows

_TOKEN_WISE = {"Add", "Gelu", "Gemm", "LayerNormalization"}


def _rows_only(value: ir.Value, known: dict[ir.Value, ir.Value]) -> ir.Value:
    """Return `value` on some rows, known of others, by moving their gather up through token-wise nodes."""
    if value in known or value.is_initializer():
        return known.get(value, value)
    node = value.producer()
    if node is None or node.op_type not in _TOKEN_WISE:
        raise GraphError(f"{value.name}: expected a token-wise operator before the pooling")
    for index, source in enumerate(node.inputs):
        if source is not None:
            node.replace_input_with(index, _rows_only(source, known))
    known[value] = value
    return value


def _linear(
    graph: ir.Graph, qkv: ir.Node, layer: str, value: ir.Value, columns: slice, name: str
) -> ir.Value:
    """Insert a linear layer of some of the projection's columns before it."""
    chain = Chain(graph, qkv, layer)
    parameters = [
        chain.constant(f"{name}_{kind}", np.ascontiguousarray(ops.array(qkv, index)[..., columns]))
        for index, kind in enumerate(("weight", "bias"), 1)
    ]
    return chain.add("Gemm", [value, *parameters], name)


def prune(model: ir.Model, layers: int, pooling: str = names.POOLED) -> int:
    """Compute the last layer's query, output projection and feed-forward on the CLS rows only.

    In: a packed graph whose pooling of the last layer is `Gather(last, starts)`, called `pooling`.
    Out: the last layer's `qkv` is a `key_value` on `[t, h]` and a `query` on `[b, h]`; all that follows
    is `[b, …]`. Exact: no other row of the last layer is read. With mean pooling every token's last
    state is read, through a normalization of its own, and nothing can be left out.

    Returns:
        1, the number of layers pruned.

    Raises:
        GraphError: the graph is not of that form.
    """
    graph = model.graph
    layer = names.LAYER.format(layers - 1)
    pooled, qkv, output = (
        names.node(graph, name) for name in (pooling, f"{layer}_qkv", f"{layer}_attention_output")
    )
    if pooled.op_type != "Gather" or ops.read(pooled, 1).producer() is not names.find(graph, names.STARTS):
        raise GraphError(f"{pooled.name}: expected a gather of the rows' first tokens")
    starts, counts, first_tokens = (
        names.node(graph, name).outputs[0] for name in (names.STARTS, names.COUNTS, names.STARTS_COLUMN)
    )
    source, hidden = ops.read(qkv), len(ops.array(qkv, 1))
    width = int(ops.array(names.node(graph, f"{layer}_qkv_rows"), 1)[1])
    chain = Chain(graph, qkv, f"{layer}_{names.CLS}")
    where = whole(Chain(graph, qkv, f"{names.LAYOUT}_{names.CLS}"), counts, first_tokens)
    rows = chain.add("Gather", [source, starts], "rows", axis=0)
    query = _linear(graph, qkv, layer, rows, slice(0, hidden), "query_only")
    heads = hidden // width
    query = chain.add("Reshape", [query, chain.integers("query_shape", [-1, heads, 1, width])], "query")
    both = _linear(graph, qkv, layer, source, slice(hidden, None), "key_value")
    flat = chain.add("Reshape", [both, chain.integers("row_shape", [-1, width])], "key_value_rows")
    key, value = (
        chain.add("Gather", [flat, place], name, axis=0)
        for place, name in zip(head_rows(chain, where.tokens_rp, heads, 2), ("key", "value"), strict=True)
    )
    context = attend(chain, query, key, value, where.score_bias)
    joined = chain.add("Reshape", [context, chain.integers("hidden_width", [-1, hidden])], "context_joined")
    last = _rows_only(ops.read(pooled), {ops.read(output): joined, source: rows})
    graph.sort()
    ops.replace(pooled.outputs[0], last)
    ops.remove_unused(model)
    return 1
