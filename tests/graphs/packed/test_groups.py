"""Two groups of rows: where they are divided, and where each token lies."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.edit import ops
from graphs.edit.chain import Chain
from graphs.packed import groups
from tests.support.graphs import session_of

HEADS = 3
INPUTS = ("counts", "starts", "row", "place")


@pytest.fixture(scope="module")
def session():
    """Divides rows; outputs each group's tokens, what is valid, its bias and its tokens' places."""
    inputs = [ir.val(name, ir.DataType.INT64, [None, 1]) for name in INPUTS]
    graph = ir.Graph(inputs, [], nodes=[], opset_imports={"": 18}, name="groups")
    for group in groups.divide(Chain(graph, None, "layout"), *inputs, HEADS):
        rows = group.rows
        for value, dtype, rank in (
            (rows.tokens_rp, ir.DataType.INT64, 2),
            (rows.valid_rp, ir.DataType.BOOL, 2),
            (group.score_bias, ir.DataType.FLOAT, 4),
            (group.places_tn, ir.DataType.INT64, 2),
        ):
            graph.outputs.append(ops.typed(value, dtype, [None] * rank))
    return session_of(ir.Model(graph, ir_version=9))


def divided(session, lengths):
    """Run it for rows of these lengths, descending; return the two groups' outputs."""
    counts = np.array(lengths, np.int64)
    row = np.repeat(np.arange(len(counts)), counts)
    starts = np.cumsum(counts) - counts
    place = np.arange(counts.sum()) - starts[row]
    found = session.run(
        None, {name: x[:, None] for name, x in zip(INPUTS, (counts, starts, row, place), strict=True)}
    )
    return found[:4], found[4:]


def cost(lengths):
    return len(lengths) * max(lengths, default=0) * (max(lengths, default=0) + 12)


def best(lengths):
    """How many long rows cost least, the second group's own cost of 3,000 included; the fewest of equals."""
    costs = [cost(lengths[:at]) + cost(lengths[at:]) + 3000 * (at > 0) for at in range(len(lengths))]
    return int(np.argmin(costs)) if costs else 0


@settings(max_examples=80, deadline=None)
@given(lengths=st.lists(st.integers(1, 90), max_size=40))
@pytest.mark.parametrize("shape", ["any", "one length", "one long row"])
def test_rows_are_divided_where_it_costs_least_and_each_token_has_its_place(session, shape, lengths):
    lengths = sorted(lengths, reverse=True)
    if shape == "one length":
        lengths = [20] * len(lengths)
    elif shape == "one long row":
        lengths = [500, *(min(length, 20) for length in lengths)]
    long, short = divided(session, lengths)
    count = best(lengths)
    assert (len(long[0]), len(short[0])) == (count, len(lengths) - count)
    token = 0
    for (tokens, valid, bias, places), own in ((long, lengths[:count]), (short, lengths[count:])):
        if own:
            assert tokens.shape == (len(own), max(own))
        np.testing.assert_array_equal(valid.sum(axis=1), own)
        assert bias.shape == (len(own), 1, tokens.shape[1], tokens.shape[1])
        np.testing.assert_array_equal(bias == 0, np.broadcast_to(valid[:, None, None], bias.shape))
        assert (bias[bias != 0] <= -1e9).all()
        assert places.shape == (sum(own), HEADS)
        # The rows of `[r, n, p, d]` are those of r, n and p.
        row, head, place = np.unravel_index(places, (len(own), HEADS, tokens.shape[1]))
        np.testing.assert_array_equal(head, np.broadcast_to(np.arange(HEADS), head.shape))
        np.testing.assert_array_equal(
            tokens[row, place], np.arange(token, token + sum(own))[:, None].repeat(HEADS, 1)
        )
        assert valid[row, place].all()
        token += sum(own)


def test_of_a_batch_of_texts_attention_costs_little_more_than_half(session):
    """Lengths as those of GoEmotions: about 20 tokens in the middle, and two texts of 41."""
    lengths = [41, 41, 37, 35, 35, 30, 29, 27, 25, 25, 24, 24, 23, 22, 21, 20]
    lengths += [20, 18, 17, 17, 17, 16, 16, 16, 16, 15, 14, 13, 12, 12, 12, 7]
    long, short = divided(session, lengths)
    assert (long[0].shape, short[0].shape) == ((8, 41), (24, 25))
    apart = sum(len(tokens) * tokens.shape[1] ** 2 for tokens in (long[0], short[0]))
    assert apart / (32 * 41**2) == pytest.approx(0.529, abs=0.0005)
