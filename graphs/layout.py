"""The layout of a batch without padding: where the real tokens are, computed once from the mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from export.contract import ATTENTION_MASK, INPUT_IDS
from graphs import build

# Added to the score of a padding key: its weight is exactly 0 in float32, whatever the scores.
_MASKED = np.float32(-1e9)

# Beyond every vocabulary.
_NO_ID = 1 << 62


@dataclass(frozen=True)
class Layout:
    """Values that every packed rewrite reads; t are the real tokens of a batch, row by row.

    A row's tokens are moved together: its n-th real token is at place n, whatever the mask's shape,
    and `p`, the places, is the largest number of real tokens of a row. A row without a token has
    its first.
    """

    token_ids: ir.Value  # int64 [t]
    positions: ir.Value  # int64 [t], the columns of the tokens: their position ids
    starts: ir.Value  # int64 [b], each row's first token
    tokens_bp: ir.Value  # int64 [b, p], the token at each place; at padding, the row's last
    valid_bp: ir.Value  # bool [b, p]
    score_bias: ir.Value  # float32 [b, 1, 1, p], 0 at real tokens
    places_tn: ir.Value  # int64 [t, n], where the rows of `[b, n, p, d]` for a token are


class Chain:
    """Appends small nodes at one place of a graph, each called `layout_…`."""

    def __init__(self, graph: ir.Graph, before: ir.Node | None, prefix: str) -> None:
        """Insert before a node (None: at the end), with names that begin with `prefix`."""
        self.graph, self.before, self.prefix = graph, before, prefix

    def integers(self, name: str, value: object) -> ir.Value:
        """Register an int64 constant, of the rank that `value` has."""
        return build.constant(self.graph, f"{self.prefix}_{name}", np.array(value, np.int64))

    def add(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        name: str,
        domain: str = "",
        **attributes: build.Attribute,
    ) -> ir.Value:
        """Insert a node and return its output."""
        made = build.node(op_type, inputs, f"{self.prefix}_{name}", attributes=attributes, domain=domain)
        return self.insert(made)

    def insert(self, made: ir.Node) -> ir.Value:
        """Insert a node that is made already, and return its output."""
        if self.before is None:
            self.graph.append(made)
        else:
            self.graph.insert_before(self.before, made)
        return made.outputs[0]


def layout(graph: ir.Graph, before: ir.Node, heads: int) -> Layout:
    """Insert the nodes that compute a batch's layout from `attention_mask`, before a node.

    Standard operators only: `NonZero` finds the tokens, `CumSum` of the rows' counts their starts,
    and of the mask each token's place.
    """
    chain = Chain(graph, before, "layout")
    mask, ids = build.input_named(graph, ATTENTION_MASK), build.input_named(graph, INPUT_IDS)
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

    found = add("NonZero", [present], "coordinates")
    pairs = add("Transpose", [found], "coordinate_pairs")
    positions = add("Gather", [found, one], "position", axis=0)
    # Joined to the mask, so that ids of another shape are an error, even of as many elements.
    axis_0 = integers("axis_0", [0])
    both = [add("Unsqueeze", [value, axis_0], f"{value.name}_alone") for value in (ids, mask)]
    same_ids = add("Gather", [add("Concat", both, "ids_and_mask", axis=0), zero], "ids", axis=0)
    given_ids = add("GatherND", [same_ids, pairs], "given_ids")
    # A look-up counts negative ids from its end: a wrong answer, where there must be an error.
    negative = add("Less", [given_ids, zero], "negative_ids")
    token_ids = add("Where", [negative, integers("no_id", _NO_ID), given_ids], "token_ids")

    starts = add("CumSum", [counts, zero], "starts_column", exclusive=1)
    longest = add("ReduceMax", [counts], "longest", keepdims=0)
    places = add("Range", [zero, longest, one], "places")
    valid = add("Less", [places, counts], "valid")
    within = add("Min", [places, add("Sub", [counts, one], "last_place")], "places_of_row")
    tokens = add("Add", [starts, within], "tokens_of_places")

    floats = [build.constant(graph, "layout_keep", np.array(0, np.float32))]
    floats.append(build.constant(graph, "layout_masked", np.array(_MASKED)))
    bias = add("Where", [valid, *floats], "score_bias_rows")
    score_bias = add("Unsqueeze", [bias, integers("axes_1_2", [1, 2])], "score_bias")

    place = add("GatherND", [add("CumSum", [present, one], "place", exclusive=1), pairs], "place_of_token")
    row = add("Gather", [pairs, axis_0], "row_column", axis=1)
    block = add("Mul", [row, integers("heads", heads)], "row_block")
    block = add("Add", [block, integers("head_row", np.arange(heads)[None])], "head_block")
    block = add("Mul", [block, longest], "block_start")
    rows = add("Add", [block, add("Unsqueeze", [place, axis_1], "place_column")], "rows_of_token")
    starts = add("Squeeze", [starts, axis_1], "starts")
    return Layout(token_ids, positions, starts, tokens, valid, score_bias, rows)
