"""Pairs of weights against the arithmetic of `vpmaddubsw` and `vpmaddwd`, simulated."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from core import pairs
from tests.support import saturating

WEIGHTS = arrays.arrays(np.int8, st.tuples(st.integers(1, 9), st.integers(1, 5)))


def halved(weight):
    """The nearest pair-safe weight by the rule as the issue words it: large pairs of one sign are halved."""
    made = weight.copy()
    for row in range(0, len(made) - 1, 2):
        for column in range(made.shape[1]):
            first, second = int(made[row, column]), int(made[row + 1, column])
            if first * second > 0 and abs(first) + abs(second) > 128:
                made[row : row + 2, column] = int(first / 2), int(second / 2)
    return made


@settings(deadline=None)
@given(WEIGHTS, st.integers(0, 2**32 - 1))
def test_a_pair_safe_weight_has_the_same_products_in_16_bits(weight, seed):
    safe = halved(weight)
    assert pairs.unsafe(safe) == []
    random = np.random.default_rng(seed)
    activations = random.integers(0, 256, (8, len(safe)), np.uint8)
    # The largest activations are what saturates first, at one row, at both and at neither.
    activations[:4] = random.choice(np.array([0, 255], np.uint8), (4, len(safe)))
    activations[0] = 255
    exact = activations.astype(np.int32) @ safe.astype(np.int32)
    assert (saturating.product(activations, safe) == exact).all()


@settings(deadline=None)
@given(WEIGHTS)
def test_every_pair_that_is_found_saturates_and_no_other_does(weight):
    found = {(pair.row, pair.column) for pair in pairs.unsafe(weight)}
    for row in range(0, len(weight) - 1, 2):
        for column in range(weight.shape[1]):
            two = weight[row : row + 2, column : column + 1]
            most = np.full((1, 2), 255, np.uint8)
            exact = most.astype(np.int32) @ two.astype(np.int32)
            assert ((row, column) in found) == bool((saturating.product(most, two) != exact).any())


def test_a_weight_rounded_without_the_rule_answers_otherwise():
    random = np.random.default_rng(0)
    weight = np.rint(random.normal(size=(64, 32)) * 40).clip(-127, 127).astype(np.int8)
    activations = random.integers(128, 256, (16, 64), np.uint8)
    exact = activations.astype(np.int32) @ weight.astype(np.int32)
    assert pairs.unsafe(weight)
    assert (saturating.product(activations, weight) != exact).any()
    assert (saturating.product(activations, halved(weight)) != exact).any()


@pytest.mark.parametrize(
    ("first", "second", "is_unsafe"),
    [
        (64, 64, False),
        (64, 65, True),
        (127, 1, False),
        (127, 2, True),
        (127, -128, False),
        (-128, 0, False),
        (-128, -1, True),
        (-128, -128, True),
        (-64, -64, False),
        (127, 127, True),
    ],
)
def test_the_limit(first, second, is_unsafe):
    weight = np.array([[0], [0], [first], [second]], np.int8)
    assert pairs.unsafe(weight) == ([pairs.Pair(2, 0, first, second)] if is_unsafe else [])
    assert pairs.can_saturate(weight).tolist() == [[False], [is_unsafe]]


def test_neighbours_of_two_pairs_and_a_last_row_are_none():
    assert pairs.unsafe(np.array([[0], [127], [127], [0], [127]], np.int8)) == []
    assert pairs.can_saturate(np.zeros((1, 3), np.int8)).shape == (0, 3)
