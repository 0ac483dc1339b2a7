"""Divide a batch's rows in two groups by length: attention pads each to its own longest row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from graphs.edit.chain import Chain
from graphs.edit.names import LONG, SHORT

# Added to the score of a padding key: its weight is exactly 0 in float32, whatever the scores.
_MASKED = -1e9
# Laying a row of p places out costs as much as attention to 12 more keys: p (p + 12) in all; the nodes of a
# second group cost as much as 3,000 such products. Measured on 12 heads of 32, two threads.
_LAYING_OUT, _SECOND_GROUP = 12, 3000


@dataclass(frozen=True)
class Rows:
    """Rows that are laid out together; r of them, p places a row."""

    tokens_rp: ir.Value  # int64 [r, p], the token at each place; at padding, the row's last
    valid_rp: ir.Value  # bool [r, p]
    score_bias: ir.Value  # float32 [r, 1, 1, p], 0 at real tokens


@dataclass(frozen=True)
class Group:
    """One of the two groups; t are its tokens, which come one after the other in `[t, h]`."""

    name: str
    rows: Rows
    score_bias: ir.Value  # float32 [r, 1, p, p], that of the rows for each of its queries
    places_tn: ir.Value  # int64 [t, n], where the rows of `[r, n, p, d]` for a token are


def lay_out(chain: Chain, counts: ir.Value, starts: ir.Value, longest: ir.Value) -> Rows:
    """Append what lays rows out, from their tokens' counts and starts, int64 `[r, 1]`, and the places p."""
    one = chain.integers("one", 1)
    places = chain.add("Range", [chain.integers("zero", 0), longest, one], "places")
    valid = chain.add("Less", [places, counts], "valid")
    within = chain.add("Min", [places, chain.add("Sub", [counts, one], "last_place")], "places_of_row")
    tokens = chain.add("Add", [starts, within], "tokens_of_places")
    keep, masked = chain.floats("keep", 0), chain.floats("masked", _MASKED)
    bias = chain.add("Where", [valid, keep, masked], "score_bias_rows")
    bias = chain.add("Unsqueeze", [bias, chain.integers("axes_1_2", [1, 2])], "score_bias")
    return Rows(tokens, valid, bias)


def _for_queries(chain: Chain, rows: Rows) -> ir.Value:
    """Append the bias of each query: added in runs of p p numbers, it costs less than in runs of p."""
    keys = chain.add("Shape", [rows.valid_rp], "keys", start=1, end=2)
    ends = chain.integers("each_row", [1, 1]), keys, chain.integers("each_key", [1])
    shape = chain.add("Concat", ends, "query_shape", axis=0)
    return chain.add("Expand", [rows.score_bias, shape], "query_bias")


def _long_rows(chain: Chain, counts: ir.Value) -> tuple[ir.Value, ir.Value, list[ir.Value]]:
    """Append how many rows are long, int64 `[1]`; both groups' sizes, `[2]`; and their longest rows, `[]`."""
    add, integers = chain.add, chain.integers
    zero, axis_1 = integers("zero", 0), integers("axis_1", [1])
    batch = add("Shape", [counts], "batch", start=0, end=1)
    # Behind the last row is one of one token: what an empty group, or no row at all, has as its longest.
    row_lengths = add("Squeeze", [counts, axis_1], "row_lengths")
    lengths = add("Concat", [row_lengths, integers("end", [1])], "lengths", axis=0)
    cost = add("Mul", [lengths, add("Add", [lengths, integers("laying_out", _LAYING_OUT)], "keys")], "costs")
    less = add("Sub", [add("Gather", [cost, zero], "highest_cost", axis=0), cost], "saved_of_row")
    minus = integers("minus", -1)
    rest = add("Range", [add("Squeeze", [batch], "rows"), minus, minus], "rows_from_here")
    saved = add("Sub", [add("Mul", [rest, less], "saved"), integers("second_group", _SECOND_GROUP)], "gained")
    # Of equals the first. onnxruntime before 1.20 has no `ArgMax` of int64.
    gained = add("Max", [saved, zero], "gained_or_0"), integers("most", [1])
    _, first = chain.several("TopK", gained, "long_rows", 2, axis=0, largest=1)
    sizes = add("Concat", [first, add("Sub", [batch, first], "short_rows")], "sizes", axis=0)
    longest = add("Gather", [lengths, zero], "longest", axis=0)
    longest_short = add("Gather", [lengths, first], "longest_short_axis", axis=0)
    return first, sizes, [longest, add("Squeeze", [longest_short], "longest_short")]


def _rows_of_tokens(
    chain: Chain, first: ir.Value, longest: list[ir.Value], row: ir.Value, place: ir.Value, heads: int
) -> ir.Value:
    """Append where each token's rows of `[r, n, p, d]` are in its group, int64 `[t, n]`."""
    add, integers = chain.add, chain.integers
    later = add("GreaterOrEqual", [row, first], "in_short")
    places = add("Where", [later, longest[1], longest[0]], "places_of_token")
    row = add("Where", [later, add("Sub", [row, first], "row_of_short"), row], "row_of_group")
    block = add("Mul", [row, integers("heads", heads)], "row_block")
    block = add("Add", [block, integers("head_row", np.arange(heads)[None])], "head_block")
    return add("Add", [add("Mul", [block, places], "block_start"), place], "rows_of_token")


def divide(
    chain: Chain, counts: ir.Value, starts: ir.Value, row: ir.Value, place: ir.Value, heads: int
) -> list[Group]:
    """Append the division of rows, the longest first, where it saves attention most.

    Rows of p places cost p (p + 12) each; the c longest are laid out apart from the others for the c that
    makes the sum least, if that gains more than a second group costs; else the long ones are none. A row's
    answer does not depend on its group: more padding adds exact zeros at its end.

    Args:
        chain: where the nodes go.
        counts: int64 `[b, 1]`, the rows' tokens, descending.
        starts: int64 `[b, 1]`, each row's first token.
        row: int64 `[t, 1]`, each token's row.
        place: int64 `[t, 1]`, and its place there.
        heads: n.
    """
    first, sizes, longest = _long_rows(chain, counts)
    rows_tn = _rows_of_tokens(chain, first, longest, row, place, heads)
    # Either piece may be empty.
    own_counts = chain.several("Split", [counts, sizes], "counts_of", 2, axis=0)
    own_starts = chain.several("Split", [starts, sizes], "starts_of", 2, axis=0)
    laid_out, tokens = [], []
    for name, count, start, most in zip((LONG, SHORT), own_counts, own_starts, longest, strict=True):
        own = Chain(chain.graph, chain.before, f"{chain.prefix}_{name}")
        rows = lay_out(own, count, start, most)
        laid_out.append((name, rows, _for_queries(own, rows)))
        tokens.append(own.add("ReduceSum", [count, chain.integers("axis_0", [0])], "tokens", keepdims=0))
    token_sizes = chain.add("Concat", tokens, "token_sizes", axis=0)
    split = chain.several("Split", [rows_tn, token_sizes], "rows_of", 2, axis=0)
    return [Group(*group, places) for group, places in zip(laid_out, split, strict=True)]
