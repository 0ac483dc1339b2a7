"""A text alone: a branch for one text without padding, which needs no layout."""

from __future__ import annotations

import re

import onnx_ir as ir

from export.contract import ATTENTION_MASK, INPUT_IDS, GraphError
from graphs import build
from graphs.layout import Chain

_PREFIX = "alone"
_MASKED = re.compile(r"(layer_\d+_(?:cls_)?)masked_scores")
_TOKENS = re.compile(r"(token_sum|feature_\d+|projected)_tokens")


def _node(named: dict[str, ir.Node], name: str) -> ir.Node:
    if name not in named:
        raise GraphError(f"found no node {name}, expected a packed graph")
    return named[name]


def _read(node: ir.Node, index: int = 0) -> ir.Value:
    """Return what a node reads at one of its inputs."""
    value = node.inputs[index]
    if value is None:
        raise GraphError(f"{node.name}: expected an input {index}")
    return value


def _attention(graph: ir.Graph, named: dict[str, ir.Node], layer: str) -> None:
    """Replace the gathers around one attention by transpositions: `[t, parts n d]` → `[parts n, t, d]`."""
    query, key, value = (_node(named, layer + name) for name in ("query", "key", "value"))
    rows = _read(key)
    gathered = [node for node in (query, key, value) if _read(node) is rows]
    split_rows, numbers = rows.producer(), _read(key, 1).producer()
    if split_rows is None or numbers is None:
        raise GraphError(f"{key.name}: expected computed rows of a projection")
    heads = len(build.array_of(_read(numbers, 1)))
    width = int(build.array_of(_read(split_rows, 1))[-1])
    chain = Chain(graph, split_rows, layer + _PREFIX)
    shape = chain.integers("shape", [-1, len(gathered) * heads, width])
    by_token = chain.add("Reshape", [_read(split_rows), shape], "by_token")
    by_head = chain.add("Transpose", [by_token], "by_head", perm=[1, 0, 2])
    division = {"axis": 0, "num_outputs": len(gathered)}
    split = build.node("Split", [by_head], f"{chain.prefix}_part", attributes=division, outputs=len(gathered))
    graph.insert_before(split_rows, split)
    for node, part in zip(gathered, split.outputs, strict=True):
        node.outputs[0].replace_all_uses_with(part)
    _node(named, layer + "key_t").attributes["perm"] = ir.AttrInt64s("perm", [0, 2, 1])
    scores = _read(_node(named, layer + "masked_scores"))
    _node(named, layer + "masked_scores").outputs[0].replace_all_uses_with(scores)
    if query not in gathered:
        # One row a head: `[b, n, 1, d]` is `[n, 1, d]` for one text.
        query.replace_input_with(1, chain.integers("query_shape", [heads, 1, width]))
        return
    joined = _node(named, layer + "context_joined")
    context = _node(named, layer + "context").outputs[0]
    after = Chain(graph, joined, layer + _PREFIX)
    joined.replace_input_with(0, after.add("Transpose", [context], "context_by_token", perm=[1, 0, 2]))


def _without_layout(graph: ir.Graph) -> None:
    """Rewrite a packed graph for one row without padding, in place. Exact to the bit."""
    named = {str(node.name): node for node in graph}
    ids, mask = (build.input_named(graph, name) for name in (INPUT_IDS, ATTENTION_MASK))
    chain = Chain(graph, next(iter(graph)), _PREFIX)
    first = chain.integers("first", [0])
    length = chain.add("Shape", [mask], "length", start=1, end=2)
    # Ends with the table: a longer text meets too few positions in the sum, and is an error.
    table = _read(_node(named, "position_embedding_rows"))
    known = {
        "layout_given_ids": chain.add("Reshape", [ids, chain.integers("flat", [-1])], "given_ids"),
        "layout_starts": first,
        "layout_valid": chain.add("Equal", [mask, mask], "valid"),
        "position_embedding_rows": chain.add("Slice", [table, first, length, first], "positions"),
    }
    for name, node in named.items():
        if name in known:
            node.outputs[0].replace_all_uses_with(known[name])
        if match := _MASKED.fullmatch(name):
            _attention(graph, named, match[1])
        elif _TOKENS.fullmatch(name):
            row = Chain(graph, node, _PREFIX).add("Unsqueeze", [_read(node), first], name)
            node.outputs[0].replace_all_uses_with(row)


def _condition(graph: ir.Graph) -> ir.Value:
    """Append the test for one row without padding; bool, of no dimension."""
    chain = Chain(graph, None, _PREFIX)
    ids, mask = (build.input_named(graph, name) for name in (INPUT_IDS, ATTENTION_MASK))
    present = chain.add("Cast", [mask], "present", to=ir.DataType.BOOL)
    ones = chain.add("Cast", [present], "ones", to=ir.DataType.INT64)
    one = chain.integers("one", [[1]])
    # At least 1: a row without a token is treated as if it had its first.
    count = chain.add("Max", [chain.add("ReduceSum", [ones], "count", keepdims=1), one], "tokens")
    shape = chain.add("Concat", [one, count], "shape", axis=1)
    same = [
        chain.add("Equal", [chain.add("Shape", [value], f"{value.name}_shape"), shape], f"{value.name}_same")
        for value in (ids, mask)
    ]
    both = chain.add("Cast", [chain.add("And", same, "both")], "both_bits", to=ir.DataType.INT32)
    least = chain.add("ReduceMin", [both], "all", keepdims=0)
    return chain.add("Cast", [least], "condition", to=ir.DataType.BOOL)


def _bring(graph: ir.Graph, other: ir.Graph) -> None:
    """Let a graph's nodes read another graph's inputs and constants in place of their own, by name."""
    known = {**{str(value.name): value for value in graph.inputs}, **graph.initializers}
    for node in other:
        for index, value in enumerate(node.inputs):
            if value is not None and value.producer() is None:
                name = str(value.name)
                if name not in known:
                    known[name] = build.constant(graph, name, build.array_of(value))
                node.replace_input_with(index, known[name])
        node.name = f"{_PREFIX}_{node.name}"
        for value in node.outputs:
            value.name = f"{_PREFIX}_{value.name}"
            if not value.is_graph_output():
                value.shape = None  # said of the packed graph


def _take(graph: ir.Graph, name: str) -> ir.Graph:
    """Move a graph's nodes into a subgraph, which reads the rest from around it."""
    nodes, outputs = list(graph), list(graph.outputs)
    graph.outputs.clear()
    graph.remove(nodes)
    for value in outputs:
        value.name = f"{value.name}_{name}"
    return ir.Graph([], outputs, nodes=nodes, name=name)


def alone(model: ir.Model) -> int:
    """Give one text without padding a branch of its own, in place.

    In: a packed graph. Out: an `If` of two branches on the same weights. The first is for one row that
    keeps all its tokens: it has no layout, and attention's parts are transposed and split where they
    were gathered. The second is the graph as it was. Exact to the bit: both make the same products.

    Returns:
        1, the number of branches added.

    Raises:
        GraphError: the graph is not packed.
    """
    graph, other = model.graph, model.clone()
    _without_layout(other.graph)
    other.graph.sort()
    build.remove_unused(other)
    _bring(graph, other.graph)
    promised = [(str(value.name), value.type, value.shape) for value in graph.outputs]
    branches = {"then_branch": _take(other.graph, "text"), "else_branch": _take(graph, "batch")}
    chosen = build.node("If", [_condition(graph)], _PREFIX, attributes=branches, outputs=len(promised))
    graph.append(chosen)
    for value, (name, type_, shape) in zip(chosen.outputs, promised, strict=True):
        value.name, value.type, value.shape = name, type_, shape
        graph.outputs.append(value)
    return 1
