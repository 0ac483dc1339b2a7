"""Let no product of attention have one row: its sums would depend on how long the batch's longest text is."""

from __future__ import annotations

import re

import onnx_ir as ir

from graphs.edit import names, ops
from graphs.edit.chain import Chain

_CONTEXT = re.compile(rf"layer_\d+_{names.CLS}_context")


def _forget_shapes(first: ir.Node, last: ir.Node) -> None:
    """Drop what the values from one node to another, one reader each, say of their shapes: that of one query.

    onnxruntime in WebAssembly refuses a shape that is not what it infers; elsewhere it warns.
    """
    node = first
    node.outputs[0].shape = None
    while node is not last:
        ((node, _),) = node.outputs[0].uses()
        node.outputs[0].shape = None


def single_rows(model: ir.Model) -> int:
    """Attend from each CLS token twice in a pruned last layer, in place, and take the first answer.

    In: `MatMul(query, key)` and `MatMul(weights, value)` of one query a head. Out: the query joined to
    itself, and of the context one row. Exact. onnxruntime has a kernel of its own for a product of one row,
    which adds up in another order where there is more padding; a last bit moves a rounding to int8.

    Returns:
        How many attentions were changed.
    """
    graph = model.graph
    contexts = [node for node in graph if _CONTEXT.fullmatch(str(node.name))]
    for context in contexts:
        name = str(context.name)
        prefix = name.removesuffix("_context")
        scores = names.node(graph, f"{prefix}_scores")
        query = ops.read(scores)
        twice = Chain(graph, scores, prefix).add("Concat", [query, query], "query_twice", axis=2)
        scores.replace_input_with(0, twice)
        _forget_shapes(scores, context)
        both = context.outputs[0]
        context.name = both.name = f"{name}_twice"
        readers = [(use.node, use.idx) for use in both.uses()]
        first = Chain(graph, readers[0][0])
        one = first.add("Gather", [both, first.integers(f"{name}_first", [0])], name, axis=2)
        for node, index in readers:
            node.replace_input_with(index, one)
    graph.sort()
    return len(contexts)
