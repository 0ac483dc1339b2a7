"""The layout of a batch without padding: where the real tokens are, computed once from the mask."""

from __future__ import annotations

from dataclasses import dataclass

import onnx_ir as ir

from core.contract import ATTENTION_MASK, INPUT_IDS
from graphs.edit import ops
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
    positions: ir.Value  # int64 [t], the columns of the tokens: their position ids
    starts: ir.Value  # int64 [b], each row's first token
    rows: groups.Rows  # all rows, for the poolings
    groups: list[groups.Group]  # the long rows and the short ones, for attention


def whole(chain: Chain, counts: ir.Value, starts: ir.Value) -> groups.Rows:
    """Append what lays all rows out, in the batch's order; both int64 `[b, 1]`."""
    longest = chain.add("ReduceMax", [counts], "longest_row", keepdims=0)
    return groups.lay_out(chain, counts, starts, longest)


def layout(graph: ir.Graph, before: ir.Node, heads: int) -> Layout:
    """Insert the nodes that compute a batch's layout from `attention_mask`, before a node.

    Standard operators only: `NonZero` finds the tokens, `TopK` sorts the rows, `CumSum` of their counts has
    their starts, and of the mask each token's place.
    """
    chain = Chain(graph, before, "layout")
    mask, ids = ops.input_named(graph, ATTENTION_MASK), ops.input_named(graph, INPUT_IDS)
    add, integers = chain.add, chain.integers
    zero, one, axis_1 = integers("zero", 0), integers("one", 1), integers("axis_1", [1])
    ones = add("Cast", [add("Cast", [mask], "mask", to=ir.DataType.BOOL)], "ones", to=ir.DataType.INT64)
    # The first token of each row, or the first column of a row without one, counts in any case.
    first = add("ArgMax", [ones], "first_column", axis=1, keepdims=0)
    # At least 1: `OneHot` takes no depth of 0, which an empty batch may have; of no axis, for ONNX's own
    # evaluator.
    length = add("Squeeze", [add("Shape", [mask], "length_axis", start=1, end=2)], "length")
    length = add("Max", [length, one], "depth")
    present = add(
        "Max", [ones, add("OneHot", [first, length, integers("no_yes", [0, 1])], "first")], "present"
    )
    counts = add("ReduceSum", [present, axis_1], "counts", keepdims=1)

    batch = add("Shape", [mask], "rows_axis", start=0, end=1)
    descending, order = chain.several("TopK", [counts, batch], "by_length", 2, axis=0, largest=1)
    order = add("Squeeze", [order, axis_1], "order")
    present = add("Gather", [present, order], "present_by_length", axis=0)
    found = add("NonZero", [present], "coordinates")
    pairs = add("Transpose", [found], "coordinate_pairs")
    positions = add("Gather", [found, one], "position", axis=0)
    # Joined to the mask, so that ids of another shape are an error, even of as many elements.
    axis_0 = integers("axis_0", [0])
    both = [add("Unsqueeze", [value, axis_0], f"{value.name}_alone") for value in (ids, mask)]
    same_ids = add("Gather", [add("Concat", both, "ids_and_mask", axis=0), zero], "ids", axis=0)
    given_ids = add(
        "GatherND", [add("Gather", [same_ids, order], "ids_by_length", axis=0), pairs], "given_ids"
    )
    # A look-up counts negative ids from its end: a wrong answer, where there must be an error.
    negative = add("Less", [given_ids, zero], "negative_ids")
    token_ids = add("Where", [negative, integers("no_id", _NO_ID), given_ids], "token_ids")

    sorted_starts = add("CumSum", [descending, zero], "starts_by_length", exclusive=1)
    _, rank = chain.several("TopK", [order, batch], "rank_of_row", 2, axis=0, largest=0)
    starts_column = add("Gather", [sorted_starts, rank], "starts_column", axis=0)
    place = add("GatherND", [add("CumSum", [present, one], "place", exclusive=1), pairs], "place_of_token")
    place = add("Unsqueeze", [place, axis_1], "place_column")
    row = add("Gather", [pairs, axis_0], "row_column", axis=1)
    divided = groups.divide(chain, descending, sorted_starts, row, place, heads)
    starts = add("Squeeze", [starts_column, axis_1], "starts")
    return Layout(token_ids, positions, starts, whole(chain, counts, starts_column), divided)
