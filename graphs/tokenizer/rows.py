"""Tokens to `input_ids` and `attention_mask`, in the graph: cut off and laid out in rows."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from core.contract import ATTENTION_MASK, INPUT_IDS
from graphs.edit import ops
from graphs.edit.chain import Chain
from graphs.tokenizer.alphabet import END, START
from graphs.tokenizer.wordpiece import Tokens


def rows(chain: Chain, tokens: Tokens, batch: ir.Value, max_length: int) -> tuple[ir.Value, ir.Value]:
    """Append tokens → `input_ids` and `attention_mask`, int64 `[b, s]`.

    A text longer than `max_length` tokens loses its last ones but END, as the tokenizer cuts it off.
    """
    add, integers, graph = chain.add, chain.integers, chain.graph
    zero, one, axis_0, axis_1 = (
        integers("zero", 0),
        integers("one", 1),
        integers("axis_0", [0]),
        integers("axis_1", [1]),
    )
    start, end = (
        ops.constant(graph, f"text_{n}", np.array(v, np.int32)) for n, v in (("START", START), ("END", END))
    )
    begins = add("Equal", [tokens.symbols, start], "row_begins")
    row = add("CumSum", [add("Cast", [begins], "row_begin", to=ir.DataType.INT64), zero], "row_count")
    row = add("Sub", [row, one], "row")
    firsts = add("Squeeze", [add("NonZero", [begins], "firsts_row"), axis_0], "firsts")
    count = add("Squeeze", [add("Shape", [row], "token_total"), axis_0], "token_count")
    rank = add(
        "Sub",
        [add("Range", [zero, count, one], "token"), add("GatherElements", [firsts, row], "first", axis=0)],
        "rank",
    )
    last = integers("last_column", max_length - 1)
    fits = add("Less", [rank, last], "fits")
    kept = add("Or", [fits, add("Equal", [tokens.symbols, end], "is_end")], "stays")
    kept = add("Squeeze", [add("NonZero", [kept], "stays_row"), axis_0], "stays_at")
    column = add("Min", [rank, last], "column_all")
    row, column, ids = (
        add("GatherElements", [value, kept], name, axis=0)
        for value, name in ((row, "row_kept"), (column, "column"), (tokens.ids, "id_kept"))
    )
    # An empty batch has one column: `ReduceMax` takes no empty list.
    longest = add(
        "ReduceMax", [add("Concat", [integers("at_0", [0]), column], "column_or_0", axis=0)], "longest"
    )
    width = add("Add", [longest, integers("one_more", [1])], "width")
    shape = add("Concat", [batch, width], "row_shape", axis=0)
    pair = [
        add("Unsqueeze", [value, axis_1], f"{name}_of") for value, name in ((row, "row"), (column, "column"))
    ]
    places = add("Concat", pair, "row_and_column", axis=1)
    empty = add("Expand", [zero, shape], "empty_rows")
    found = []
    for name, value in (
        (INPUT_IDS, add("Cast", [ids], "id_int64", to=ir.DataType.INT64)),
        (ATTENTION_MASK, None),
    ):
        value = value or add("Expand", [one, add("Shape", [ids], "ids_shape")], "ones")
        found.append(add("ScatterND", [empty, places, value], name))
    return found[0], found[1]
