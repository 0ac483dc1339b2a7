"""Cut rows of tokens inside a graph, for servers that hand it more than the encoder has positions."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from core.contract import ATTENTION_MASK, INPUT_IDS
from graphs.edit import ops


def cut(model: ir.Model, max_length: int) -> int:
    """Cut every row to `max_length` tokens, in place, as the tokenizer cuts a text.

    In: a finished graph of token ids, padded on the right. Out: before all else, nodes that keep the first
    `max_length` columns; in a row with more tokens the last of these becomes the row's own last token, which
    ends a text. Rows without more tokens stay as they are, so the answers to them are the same to the bit.

    Returns:
        How many inputs are cut: 2.

    Raises:
        GraphError: the graph takes no token ids.
    """
    graph = model.graph
    ids, mask = ops.input_named(graph, INPUT_IDS), ops.input_named(graph, ATTENTION_MASK)
    readers = {value: list(value.uses()) for value in (ids, mask)}

    def number(name: str, *shape: int, value: int) -> ir.Value:
        return ops.constant(graph, f"cut_{name}", np.full(shape, value, np.int64))

    zero, one, first_axis = number("zero", value=0), number("one", value=1), number("axis", 1, value=1)
    start, limit = number("start", 1, value=0), number("limit", 1, value=max_length)
    nodes: list[ir.Node] = []

    def node(op_type: str, name: str, *inputs: ir.Value, **attributes: int) -> ir.Value:
        nodes.append(ops.node(op_type, inputs, f"cut_{name}", attributes=attributes))
        return nodes[-1].outputs[0]

    length = node("ReduceSum", "length", mask, first_axis, keepdims=1)
    given = node("Shape", "given", ids, start=1, end=2)
    width = node("Squeeze", "width", node("Min", "kept", given, limit))
    column = node("Range", "column", zero, width, one)
    is_last = node("Equal", "is_last", column, number("last_column", value=max_length - 1))
    is_longer = node("Greater", "is_longer", length, limit)
    closing = node("And", "closing", is_last, is_longer)
    index = node("Where", "index", closing, node("Sub", "last_token", length, one), column)
    kept = {
        ids: node("GatherElements", "input_ids", ids, index, axis=1),
        mask: node("Slice", "attention_mask", mask, start, limit, first_axis),
    }
    for value, uses in readers.items():
        for use in uses:
            use.node.replace_input_with(use.idx, kept[value])
    graph.insert_before(graph[0], nodes)
    return len(kept)
