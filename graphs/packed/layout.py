"""Compute a batch's layout without padding, once from the mask: where the real tokens are."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from core.contract import ATTENTION_MASK, INPUT_IDS
from graphs.edit import names, ops
from graphs.edit.chain import Chain
from graphs.packed import groups

# Beyond every vocabulary.
_NO_ID = 1 << 62


@dataclass(frozen=True)
class Layout:
    """Values that every packed rewrite reads; t are the real tokens of a batch, the longest row's first.

    A row's tokens are moved together: its n-th real token is at place n, whatever the mask's shape. A row
    without a token has its first. Rows are in the batch's order; only attention takes them in two groups.
    """

    token_ids: ir.Value  # int64 [t]
    columns: ir.Value  # int64 [t], the columns of the tokens: their position ids, as a rule
    starts: ir.Value  # int64 [b], each row's first token
    rows: groups.Rows  # all rows, for the poolings
    groups: list[groups.Group]  # the long rows and the short ones, for attention
    order: ir.Value  # int64 [b], the rows, the longest first
    pairs: ir.Value  # int64 [t, 2], row in that order and column of each token


def whole(chain: Chain, counts: ir.Value, starts: ir.Value) -> groups.Rows:
    """Append what lays all rows out, in the batch's order; both int64 `[b, 1]`."""
    longest = chain.add("ReduceMax", [counts], "longest_row", keepdims=0)
    return groups.lay_out(chain, counts, starts, longest)


def _present(chain: Chain, mask: ir.Value, one: ir.Value, axis_1: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Append which columns count, int64 `[b, s]` of 0 and 1, and each row's number of them, `[b, 1]`."""
    add = chain.add
    real = chain.cast(mask, ir.DataType.BOOL, "mask")
    ones = chain.cast(real, ir.DataType.INT64, "ones")
    # The first token of each row, or the first column of a row without one, counts in any case.
    # onnxruntime before 1.20 has no `ArgMax` of int64.
    narrow = chain.cast(real, ir.DataType.INT32, "narrow_ones")
    first = add("ArgMax", [narrow], "first_column", axis=1, keepdims=0)
    # At least 1: `OneHot` takes no depth of 0, which an empty batch may have; of no axis, for ONNX's own
    # evaluator.
    length = add("Squeeze", [add("Shape", [mask], "length_axis", start=1, end=2)], "length")
    length = add("Max", [length, one], "depth")
    first = add("OneHot", [first, length, chain.integers("no_yes", [0, 1])], "first")
    present = add("Max", [ones, first], "present")
    return present, add("ReduceSum", [present, axis_1], "counts", keepdims=1)


def _token_ids(
    chain: Chain, mask: ir.Value, order: ir.Value, pairs: ir.Value, zero: ir.Value, axis_0: ir.Value
) -> ir.Value:
    """Append the real tokens' ids, int64 `[t]`, in the order of rows; negative ones beyond any vocabulary."""
    add, ids = chain.add, ops.input_named(chain.graph, INPUT_IDS)
    # Joined to the mask, so that ids of another shape are an error, even of as many elements.
    both = [add("Unsqueeze", [value, axis_0], f"{value.name}_alone") for value in (ids, mask)]
    same_ids = add("Gather", [add("Concat", both, "ids_and_mask", axis=0), zero], "ids", axis=0)
    given = add("Gather", [same_ids, order], "ids_by_length", axis=0)
    given = add("GatherND", [given, pairs], "given_ids")
    # A look-up counts negative ids from its end: a wrong answer, where there must be an error.
    negative = add("Less", [given, zero], "negative_ids")
    return add("Where", [negative, chain.integers("no_id", _NO_ID), given], "token_ids")


def layout(graph: ir.Graph, before: ir.Node, heads: int) -> Layout:
    """Insert the nodes that compute a batch's layout from `attention_mask`, before a node.

    Standard operators only: `NonZero` finds the tokens, `TopK` sorts the rows, `CumSum` of their counts has
    their starts, and of the mask each token's place.
    """
    chain = Chain(graph, before, names.LAYOUT)
    mask = ops.input_named(graph, ATTENTION_MASK)
    add, integers = chain.add, chain.integers
    zero, one, axis_1 = integers("zero", 0), integers("one", 1), integers("axis_1", [1])
    present, counts = _present(chain, mask, one, axis_1)
    batch = add("Shape", [mask], "rows_axis", start=0, end=1)
    descending, order = chain.several("TopK", [counts, batch], "by_length", 2, axis=0, largest=1)
    order = add("Squeeze", [order, axis_1], "order")
    present = add("Gather", [present, order], "present_by_length", axis=0)
    coordinates = add("NonZero", [present], "coordinates")
    pairs = add("Transpose", [coordinates], "coordinate_pairs")
    positions = add("Gather", [coordinates, one], "position", axis=0)
    axis_0 = integers("axis_0", [0])
    token_ids = _token_ids(chain, mask, order, pairs, zero, axis_0)

    sorted_starts = add("CumSum", [descending, zero], "starts_by_length", exclusive=1)
    _, rank = chain.several("TopK", [order, batch], "rank_of_row", 2, axis=0, largest=0)
    starts_column = add("Gather", [sorted_starts, rank], "starts_column", axis=0)
    place = add("GatherND", [add("CumSum", [present, one], "place", exclusive=1), pairs], "place_of_token")
    place = add("Unsqueeze", [place, axis_1], "place_column")
    row = add("Gather", [pairs, axis_0], "row_column", axis=1)
    divided = groups.divide(chain, descending, sorted_starts, row, place, heads)
    starts = add("Squeeze", [starts_column, axis_1], "starts")
    rows = whole(chain, counts, starts_column)
    return Layout(token_ids, positions, starts, rows, divided, order, pairs)
