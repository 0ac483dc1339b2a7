"""Lay tokens out as `input_ids` and `attention_mask`, in the graph: cut off, a row a text."""

from __future__ import annotations

import onnx_ir as ir

from core.contract import ATTENTION_MASK, INPUT_IDS
from graphs.edit.chain import Chain
from graphs.tokenizer.alphabet import END, START
from graphs.tokenizer.wordpiece import Tokens


def rows(chain: Chain, tokens: Tokens, batch: ir.Value, max_length: int) -> tuple[ir.Value, ir.Value]:
    """Append tokens → `input_ids` and `attention_mask`, int64 `[b, s]`.

    A text longer than `max_length` tokens loses its last ones but END, as the tokenizer cuts it off.
    """
    add, integers = chain.add, chain.integers
    zero, one, axis_0, axis_1 = (
        integers(name, value) for name, value in (("zero", 0), ("one", 1), ("axis_0", [0]), ("axis_1", [1]))
    )
    start, end = chain.int32s("START", START), chain.int32s("END", END)
    begins = add("Equal", [tokens.symbols, start], "row_begins")
    row = add("CumSum", [chain.cast(begins, ir.DataType.INT64, "row_begin"), zero], "row_count")
    row = add("Sub", [row, one], "row")
    firsts = chain.indices(begins, axis_0, "firsts", "firsts_row")
    count = add("Squeeze", [add("Shape", [row], "token_total"), axis_0], "token_count")
    place = add("Range", [zero, count, one], "token")
    rank = add("Sub", [place, chain.take(firsts, row, "first")], "rank")
    last = integers("last_column", max_length - 1)
    fits = add("Less", [rank, last], "fits")
    stays = add("Or", [fits, add("Equal", [tokens.symbols, end], "is_end")], "stays")
    kept = chain.indices(stays, axis_0, "stays_at", "stays_row")
    column = add("Min", [rank, last], "column_all")
    row, column, ids = (
        chain.take(value, kept, name)
        for value, name in ((row, "row_kept"), (column, "column"), (tokens.ids, "id_kept"))
    )
    # An empty batch has one column: `ReduceMax` takes no empty list.
    longest = add("Concat", [integers("at_0", [0]), column], "column_or_0", axis=0)
    width = add("Add", [add("ReduceMax", [longest], "longest"), integers("one_more", [1])], "width")
    shape = add("Concat", [batch, width], "row_shape", axis=0)
    pair = [
        add("Unsqueeze", [value, axis_1], f"{name}_of") for value, name in ((row, "row"), (column, "column"))
    ]
    places = add("Concat", pair, "row_and_column", axis=1)
    empty = add("Expand", [zero, shape], "empty_rows")
    input_ids = add("ScatterND", [empty, places, chain.cast(ids, ir.DataType.INT64, "id_int64")], INPUT_IDS)
    ones = add("Expand", [one, add("Shape", [ids], "ids_shape")], "ones")
    return input_ids, add("ScatterND", [empty, places, ones], ATTENTION_MASK)
