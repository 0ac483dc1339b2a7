"""Rounded weights are pair-safe, and close; a plan may exchange integers near the middle between two."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import pairs
from graphs.int8 import rounding
from tests.support import saturating

ROWS = 12


def drawn(seed, rows=ROWS, columns=5):
    """A weight with rows of like and of unlike size, columns of 0 and of one number."""
    random = np.random.default_rng(seed)
    weight = (random.standard_t(2, (rows, columns)) * random.uniform(0.1, 2, (rows, 1))).astype(np.float32)
    weight[:, 3] = 0
    weight[:, 4] = random.choice([-3, 3])
    return weight


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 4), st.integers(ROWS, ROWS + 1))
def test_rounded_weights_saturate_no_cpu(seed, split_count, rows):
    random, weight = np.random.default_rng(seed), drawn(seed, rows)
    split = tuple(sorted(random.choice(rows, split_count, replace=False).tolist()))
    weight[list(split)] *= 5
    integers, _ = rounding.round_columns(weight, split)
    assert integers.dtype == np.int8
    assert not pairs.unsafe(integers)
    assert abs(integers.astype(int)).max() <= 127
    levels = random.choice(np.array([0, 3, 254, 255], np.uint8), (20, len(integers)))
    exact = levels.astype(np.int32) @ integers.astype(np.int32)
    assert (saturating.product(levels, integers) == exact).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 4))
def test_what_is_not_cut_is_within_half_a_scale(seed, split_count):
    random, weight = np.random.default_rng(seed), drawn(seed)
    split = tuple(sorted(random.choice(ROWS, split_count, replace=False).tolist()))
    weight[list(split)] *= 5
    integers, scale = rounding.round_columns(weight, split)
    rebuilt = np.zeros(weight.shape)
    np.add.at(rebuilt, [*range(ROWS), *rounding.copies_of(split)], integers * scale.astype(np.float64))
    near = abs(rebuilt - weight) <= scale * 0.5001
    # Cut are pairs that do not fit, and the largest integer; none where the scale is one at which all fit.
    fitting = abs(integers[0:ROWS:2].astype(int) + integers[1:ROWS:2]) >= 127
    cut = np.repeat(fitting, 2, axis=0) | (abs(integers[:ROWS]) == 127)
    assert (near if split else near | cut).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6))
def test_the_error_is_at_most_that_of_a_scale_at_which_all_pairs_fit(seed):
    weight = drawn(seed, 40)
    integers, scale = rounding.round_columns(weight)
    together = abs(weight[::2] + weight[1::2]).max(axis=0)
    wide = np.maximum(np.maximum(abs(weight).max(axis=0) / 127, together / 127), 1e-9)
    plain = np.square(np.rint(weight / wide) * wide - weight).sum(axis=0)
    found = np.square(integers * scale - weight).sum(axis=0)
    # A scale a little coarser may be luckier in single columns.
    assert found.sum() <= 1.1 * plain.sum() + 1e-9


def test_a_pair_that_does_not_fit_is_cut_where_that_costs_less_than_a_coarse_scale():
    random = np.random.default_rng(0)
    weight = random.uniform(-60, 60, (4000, 1)).astype(np.float32)
    weight[0], weight[1] = 100, 34
    integers, scale = rounding.round_columns(weight)
    assert scale[0] < 134 / 128
    assert integers[:2].sum(dtype=int) == 128


def test_splitting_the_largest_rows_makes_the_scales_finer():
    weight = np.random.default_rng(1).standard_normal((40, 6)).astype(np.float32)
    weight[7] *= 10
    _, coarse = rounding.round_columns(weight)
    _, fine = rounding.round_columns(weight, (7,))
    assert fine.mean() < 0.7 * coarse.mean()


def test_the_other_integer_is_on_the_weights_other_side_and_only_near_the_middle():
    weight = drawn(4, 40, 30)
    nearest, scale = rounding.round_columns(weight)
    exact = weight / scale
    free = rounding.free_places(nearest, exact)
    assert 0.3 < free[:, :3].mean() < 0.7
    bits = np.random.default_rng(0).random(int(free.sum())) < 0.5
    integers, same = rounding.round_columns(weight, (), np.packbits(bits))
    np.testing.assert_array_equal(same, scale)
    np.testing.assert_array_equal(integers[~free], nearest[~free])
    np.testing.assert_array_equal(integers[free] != nearest[free], bits)
    off = (integers.astype(int) - exact)[free & (integers != nearest)]
    assert ((abs(off) > 0) & (abs(off) <= 0.75)).all()
    assert (np.sign(off) == -np.sign((nearest - exact)[free & (integers != nearest)])).all()


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_another_number_of_roundings_is_an_error(count):
    with pytest.raises(ValueError, match=rf"found {count:,} bytes of roundings, expected \d"):
        rounding.round_columns(drawn(5, 40), (), np.zeros(count, np.uint8))


def test_the_same_weight_gives_the_same_integers_whatever_its_layout():
    weight = drawn(3, 64)
    nearest, scale = rounding.round_columns(weight)
    free = rounding.free_places(nearest, weight / scale)
    bits = np.packbits(np.random.default_rng(3).random(int(free.sum())) < 0.5)
    first = rounding.round_columns(weight, (), bits)
    second = rounding.round_columns(np.asfortranarray(weight), (), bits)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("width", "groups"), [(24, 1), (64, 1), (128, 2), (384, 6)])
def test_a_table_has_a_scale_for_each_64_channels(width, groups):
    table = np.random.default_rng(1).standard_normal((9, width)).astype(np.float32)
    table[3] = 0
    integers, scale = rounding.round_rows(table)
    assert scale.shape == (9, groups)
    wide = np.repeat(scale, width // groups, axis=1)
    assert (abs(integers * wide - table) <= wide * 0.5001).all()
    assert (abs(integers.reshape(9, groups, -1).astype(int)).max(axis=2)[[0, 1, 2]] == 127).all()
