"""Pruning: with CLS pooling, the last layer is needed for one token a text."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from core.errors import GraphError
from graphs.edit import ops
from graphs.edit.chain import Chain
from graphs.edit.names import LAYER
from graphs.packed.layout import whole
from graphs.packed.pack import attend, head_rows

CLS = "cls"
_TOKEN_WISE = {"Add", "Gelu", "Gemm", "LayerNormalization"}


def _rows_only(chain: Chain, value: ir.Value, starts: ir.Value, known: dict[ir.Value, ir.Value]) -> ir.Value:
    """Return `value` on the rows `starts`, by moving the gather up through token-wise nodes."""
    if value in known or value.is_initializer():
        return known.get(value, value)
    node = value.producer()
    if node is None or node.op_type not in _TOKEN_WISE:
        raise GraphError(f"{value.name}: expected a token-wise operator before the pooling")
    for index, source in enumerate(node.inputs):
        if source is not None:
            node.replace_input_with(index, _rows_only(chain, source, starts, known))
    known[value] = value
    return value


def prune(model: ir.Model, layers: int, pooling: str = "pooled") -> int:
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
    named = {node.name: node for node in graph}
    layer = LAYER.format(layers - 1)
    try:
        pooled, qkv, attention_sum = (
            named[pooling],
            named[f"{layer}_qkv"],
            named[f"{layer}_attention_norm_sum"],
        )
        counts, first_tokens = (named[f"layout_{name}"].outputs[0] for name in ("counts", "starts_column"))
    except KeyError as error:
        raise GraphError(f"found no node {error}, expected a packed graph with CLS pooling") from error
    starts, source = pooled.inputs[1], qkv.inputs[0]
    not_rows = pooled.op_type != "Gather" or starts is not named["layout_starts"].outputs[0]
    if not_rows or starts is None or source is None or pooled.inputs[0] is None:
        raise GraphError(f"{pooled.name}: expected a gather of the rows' first tokens")
    weight, offset = (ops.array_of(value) for value in qkv.inputs[1:3] if value is not None)
    hidden = weight.shape[0]
    width = int(ops.array_of(ops.read(named[f"{layer}_qkv_rows"], 1))[1])
    heads = hidden // width
    chain = Chain(graph, qkv, f"{layer}_{CLS}")

    def linear(value: ir.Value, columns: slice, name: str) -> ir.Value:
        parts = [
            ops.constant(graph, f"{layer}_{name}_{kind}", np.ascontiguousarray(array[..., columns]))
            for kind, array in (("weight", weight), ("bias", offset))
        ]
        made = ops.node("Gemm", [value, *parts], f"{layer}_{name}")
        graph.insert_before(qkv, made)
        return made.outputs[0]

    where = whole(Chain(graph, qkv, f"layout_{CLS}"), counts, first_tokens)
    rows = chain.add("Gather", [source, starts], "rows", axis=0)
    query = linear(rows, slice(0, hidden), "query_only")
    query = chain.add("Reshape", [query, chain.integers("query_shape", [-1, heads, 1, width])], "query")
    both = linear(source, slice(hidden, None), "key_value")
    flat = chain.add("Reshape", [both, chain.integers("row_shape", [-1, width])], "key_value_rows")
    key, value = (
        chain.add("Gather", [flat, part], name, axis=0)
        for part, name in zip(head_rows(chain, where.tokens_rp, heads, 2), ("key", "value"), strict=True)
    )
    context = attend(chain, query, key, value, where.score_bias)
    joined = chain.add("Reshape", [context, chain.integers("hidden_width", [-1, hidden])], "context_joined")
    old = named[f"{layer}_attention_output"].inputs[0]
    if old is None:
        raise GraphError(f"{attention_sum.name}: expected the attention's output projection")
    known = {old: joined, source: rows}
    last = _rows_only(chain, pooled.inputs[0], starts, known)
    graph.sort()
    replaced = pooled.outputs[0]
    if replaced.is_graph_output():
        replaced.name, last.name = last.name, replaced.name
        last.type, last.shape = replaced.type, replaced.shape
    replaced.replace_all_uses_with(last, replace_graph_outputs=True)
    ops.remove_unused(model)
    return 1
