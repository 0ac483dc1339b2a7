"""Pack a batch: everything token-wise on the real tokens alone, `[t, h]` in place of `[b, s, h]`."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from core.errors import GraphError
from graphs.edit import names, ops
from graphs.edit.chain import Chain
from graphs.packed import pooling
from graphs.packed.layout import Layout, layout


def head_rows(chain: Chain, tokens_rp: ir.Value, heads: int, count: int) -> list[ir.Value]:
    """Return where the rows of query, key and value are, per head: `count` times int64 `[r, n, p]`.

    The projection `[t, count * n * d]` is read as `[t * count * n, d]`.
    """
    tokens = chain.add("Unsqueeze", [tokens_rp, chain.integers("axis_head", [1])], "tokens")
    block = chain.add("Mul", [tokens, chain.integers("rows_of_token", count * heads)], "token_block")
    numbers = np.arange(count * heads).reshape(count, heads, 1)
    return [
        chain.add("Add", [block, chain.integers(f"numbers_{index}", numbers[index])], f"rows_{index}")
        for index in range(count)
    ]


def attend(chain: Chain, query: ir.Value, key: ir.Value, value: ir.Value, bias: ir.Value) -> ir.Value:
    """Append softmax(query keyᵀ + bias) value; `[r, n, q, d]`, `[r, n, p, d]` twice → `[r, n, q, d]`."""
    turned = chain.add("Transpose", [key], "key_t", perm=[0, 1, 3, 2])
    scores = chain.add("MatMul", [query, turned], "scores")
    masked = chain.add("Add", [scores, bias], "masked_scores")
    weights = chain.add("Softmax", [masked], "weights", axis=-1)
    return chain.add("MatMul", [weights, value], "context")


def _attention(
    graph: ir.Graph, node: ir.Node, number: int, rows: list[list[ir.Value]], where: Layout
) -> None:
    """Replace one `Attention(x, weight, bias, mask)`."""
    if None in node.inputs[:3]:
        raise GraphError(f"{node.name}: expected an attention with weight and bias")
    heads = node.attributes.get_int("num_heads", 0)
    weight, bias = ops.array(node, 1).copy(), ops.array(node, 2).copy()
    hidden = weight.shape[0]
    # The scores' factor goes into the query's projection.
    scale = np.float32(1 / np.sqrt(hidden // heads))
    weight[:, :hidden] *= scale
    bias[:hidden] *= scale
    chain = Chain(graph, node, names.LAYER.format(number))
    parameters = [chain.constant("qkv_weight", weight), chain.constant("qkv_bias", bias)]
    projected = chain.add("Gemm", [node.inputs[0], *parameters], "qkv")
    width = chain.integers("head_width", [-1, hidden // heads])
    flat = chain.add("Reshape", [projected, width], "qkv_rows")
    contexts = []
    for group, places in zip(where.groups, rows, strict=True):
        own = Chain(graph, node, f"{chain.prefix}_{group.name}")
        query, key, value = (
            own.add("Gather", [flat, place], name, axis=0)
            for place, name in zip(places, ("query", "key", "value"), strict=True)
        )
        context = attend(own, query, key, value, group.score_bias)
        by_head = own.add("Reshape", [context, width], "context_rows")
        contexts.append(own.add("Gather", [by_head, group.places_tn], "context_heads", axis=0))
    by_head = chain.add("Concat", contexts, "context_heads", axis=0)
    hidden_width = chain.integers("hidden_width", [-1, hidden])
    ops.replace(node.outputs[0], chain.add("Reshape", [by_head, hidden_width], "context_joined"))
    graph.remove(node, safe=True)


def pack(model: ir.Model) -> int:
    """Run everything token-wise on the real tokens, in place; padding costs nothing outside attention.

    In: the graph after `pool`, on `[b, s, h]`, with `Attention(x, weight, bias, mask)`. Out: the same
    on `[t, h]`, t the tokens that `attention_mask` keeps. Each attention becomes a `Gemm` and, for the long
    rows and the short ones, gathers that lay query, key and value out as `[r, n, p, d]` (p: the real tokens
    of the group's longest row), the two products and `Softmax`, and a gather back. Exact up to rounding for
    every mask: a row's tokens are moved together, keep the position ids of their columns, and attend to each
    other alone. A row without a token is treated as if it had its first.

    Returns:
        How many attentions were rewritten.

    Raises:
        GraphError: the graph is not of that form.
    """
    graph = model.graph
    attentions = ops.nodes_of(graph, "Attention")
    word, position = names.node(graph, names.WORDS), names.node(graph, names.POSITIONS)
    if not attentions:
        raise GraphError("found no Attention")
    poolings = pooling.find(graph)
    if not poolings:
        raise GraphError("found no pooling; `pool` must come before")
    heads = attentions[0].attributes.get_int("num_heads", 0)
    first = graph[0]
    where = layout(graph, first, heads)
    word.replace_input_with(1, where.token_ids)
    own = Chain(graph, position)
    numbers = names.find(graph, names.TOKEN_NUMBERS)
    places = where.columns
    if numbers is not None:
        by_length = own.add("Gather", [numbers.outputs[0], where.order], "token_numbers_by_length", axis=0)
        places = own.add("GatherND", [by_length, where.pairs], "token_positions")
    table = own.add("Gather", [position.inputs[0], places], names.POSITION_ROWS, axis=0)
    position.outputs[0].replace_all_uses_with(table)
    rows = [
        head_rows(Chain(graph, first, f"heads_{group.name}"), group.rows.tokens_rp, heads, 3)
        for group in where.groups
    ]
    for number, node in enumerate(attentions):
        _attention(graph, node, number, rows, where)
    pooling.pack(graph, poolings, where)
    ops.remove_unused(model)
    for value in {value for node in graph for value in node.outputs} - set(graph.outputs):
        value.shape = None  # said of the padded graph
    return len(attentions)
