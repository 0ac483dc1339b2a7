"""Rounded weights are pair-safe, and close; closer where it is known how activations vary."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import pairs
from core.build.plan import Variation
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


def variation_of(activations, count):
    """The largest directions of some activations' covariance, and the rest."""
    values, vectors = np.linalg.eigh(np.cov(activations.T))
    directions = (vectors[:, -count:] * np.sqrt(values[-count:])).T
    unit = (abs(directions).max(axis=1) / 127).astype(np.float32)
    integers = np.rint(directions / unit[:, None]).astype(np.int8)
    rest = activations.var(axis=0) - np.square(integers * unit[:, None]).sum(axis=0)
    return Variation(integers, unit, np.maximum(rest, 1e-3).astype(np.float32))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 4), st.integers(ROWS, ROWS + 1))
def test_rounded_weights_saturate_no_cpu(seed, split_count, rows):
    random, weight = np.random.default_rng(seed), drawn(seed, rows)
    split = tuple(sorted(random.choice(rows, split_count, replace=False).tolist()))
    weight[list(split)] *= 5
    variation = None if split else variation_of(random.normal(size=(60, rows)) * 20, 3)
    integers, _ = rounding.round_columns(weight, split, variation)
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


@pytest.mark.parametrize("count", [4, 16])
def test_rows_make_up_for_each_other_along_the_directions_of_the_activations(count):
    random = np.random.default_rng(2)
    activations = random.normal(size=(2000, 4)) @ random.normal(size=(4, 64)) * 20
    activations += random.normal(size=activations.shape)
    weight = random.normal(size=(64, 48)).astype(np.float32)
    variation = variation_of(activations, count)
    centred = activations - activations.mean(axis=0)

    def lost(known):
        integers, scale = rounding.round_columns(weight, (), known)
        return float(np.square(centred @ (integers * scale - weight)).mean())

    assert lost(variation) < 0.2 * lost(None)


def test_the_same_weight_gives_the_same_integers_whatever_its_layout():
    weight, variation = drawn(3, 64), variation_of(np.random.default_rng(3).normal(size=(200, 64)), 8)
    first = rounding.round_columns(weight, (), variation)
    second = rounding.round_columns(np.asfortranarray(weight), (), variation)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
