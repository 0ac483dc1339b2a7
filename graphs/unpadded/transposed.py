"""Attention without padding of the operators that it has with padding: transpositions in place of gathers."""

from __future__ import annotations

import onnx_ir as ir

from core.errors import GraphError
from graphs.edit import ops
from graphs.edit.chain import Chain
from graphs.int8.readers import array


def node_named(named: dict[str, ir.Node], name: str) -> ir.Node:
    """Return a node by its name."""
    if name not in named:
        raise GraphError(f"found no node {name}, expected a packed graph")
    return named[name]


def attend(
    graph: ir.Graph,
    named: dict[str, ir.Node],
    attention: str,
    prefix: str,
    shape: ir.Value,
    context_shape: ir.Value,
) -> ir.Value:
    """Replace the gathers around one attention by transpositions: `[b s, parts n d]` → `[b, parts n, s, d]`.

    Args:
        graph: a packed graph.
        named: its nodes.
        attention: what the attention's nodes are called, such as `layer_3_long_`.
        prefix: what comes after that in the names of new nodes.
        shape: int64 `[2]`, b and s.
        context_shape: int64, what the contexts are laid out as.

    Returns:
        The contexts.

    Raises:
        GraphError: the graph is not packed.
    """
    query, key, value = (node_named(named, attention + name) for name in ("query", "key", "value"))
    rows = ops.read(key)
    gathered = [node for node in (query, key, value) if ops.read(node) is rows]
    split_rows, numbers = rows.producer(), ops.read(key, 1).producer()
    if split_rows is None or numbers is None:
        raise GraphError(f"{key.name}: expected computed rows of a projection")
    heads = len(array(numbers, 1))
    chain = Chain(graph, split_rows, attention + prefix)
    ends = chain.integers("part_widths", [len(gathered) * heads, array(split_rows, 1)[-1]])
    parts = chain.add("Concat", [shape, ends], "part_shape", axis=0)
    by_token = chain.add("Reshape", [ops.read(split_rows), parts], "by_token")
    by_head = chain.add("Transpose", [by_token], "by_head", perm=[0, 2, 1, 3])
    number = len(gathered)
    split = chain.several("Split", [by_head], "part", number, axis=1, num_outputs=number)
    for node, part in zip(gathered, split, strict=True):
        node.outputs[0].replace_all_uses_with(part)
    masked = node_named(named, attention + "masked_scores")
    masked.outputs[0].replace_all_uses_with(ops.read(masked))
    last = Chain(graph, None, attention + prefix)
    context = node_named(named, attention + "context").outputs[0]
    context = last.add("Transpose", [context], "context_by_token", perm=[0, 2, 1, 3])
    return last.add("Reshape", [context, context_shape], "context")
