"""Transpose query, key and value where a packed graph gathers them: attention without padding."""

from __future__ import annotations

import onnx_ir as ir

from core.errors import GraphError
from graphs.edit import names, ops
from graphs.edit.chain import Chain


def attend(
    graph: ir.Graph, attention: str, prefix: str, shape: ir.Value, context_shape: ir.Value
) -> ir.Value:
    """Replace the gathers around one attention by transpositions; exact to the bit.

    In: gathers of the projection's rows, `[t, parts n d]` → `[r, n, p, d]`, and of the contexts back. Out:
    `Reshape`, `Transpose` and `Split`, `[b s, parts n d]` → `[b, parts n, s, d]`, and no
    mask is added to the scores.

    Args:
        graph: a packed graph.
        attention: what the attention's nodes are called, such as `layer_3_long`.
        prefix: what comes after that in the names of new nodes.
        shape: int64 `[2]`, b and s.
        context_shape: int64, what the contexts are laid out as.

    Returns:
        The contexts.

    Raises:
        GraphError: the graph is not packed.
    """
    query, key, value, masked, context = (
        names.node(graph, f"{attention}_{name}")
        for name in ("query", "key", "value", "masked_scores", "context")
    )
    gathered = [node for node in (query, key, value) if node.inputs[0] is key.inputs[0]]
    split_rows, numbers = ops.read(key).producer(), ops.read(key, 1).producer()
    if split_rows is None or numbers is None:
        raise GraphError(f"{key.name}: expected computed rows of a projection")
    heads, count = len(ops.array(numbers, 1)), len(gathered)
    chain = Chain(graph, split_rows, f"{attention}_{prefix}")
    ends = chain.integers("part_widths", [count * heads, ops.array(split_rows, 1)[-1]])
    by_part = chain.add("Concat", [shape, ends], "part_shape", axis=0)
    by_token = chain.add("Reshape", [split_rows.inputs[0], by_part], "by_token")
    by_head = chain.add("Transpose", [by_token], "by_head", perm=[0, 2, 1, 3])
    split = chain.several("Split", [by_head], "part", count, axis=1, num_outputs=count)
    for node, part in zip(gathered, split, strict=True):
        node.outputs[0].replace_all_uses_with(part)
    masked.outputs[0].replace_all_uses_with(ops.read(masked))
    last = Chain(graph, None, chain.prefix)
    by_token = last.add("Transpose", [context.outputs[0]], "context_by_token", perm=[0, 2, 1, 3])
    return last.add("Reshape", [by_token, context_shape], "context")
