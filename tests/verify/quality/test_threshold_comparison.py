"""The bootstrap: seeded, paired, and of the size that theory says."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from core.thresholds import Scored
from verify.quality import threshold_comparison as comparison


def scored(truth, decided):
    """Probabilities of 0 and 1, so that 0.5 decides as told."""
    labels = [f"label{index}" for index in range(truth.shape[1])]
    return Scored(labels, truth, decided.astype(np.float32)), np.full(len(labels), 0.5)


def test_macro_f1_is_scikit_learns_on_the_texts_drawn():
    random = np.random.default_rng(0)
    truth, said = random.random((2, 40, 5)) < 0.2
    weights = comparison.resamples(40, 20, 0)
    found = comparison.resampled_macro_f1(*scored(truth, said), weights)
    for row, times in enumerate(weights.astype(int)):
        drawn = np.repeat(np.arange(40), times)
        expected = f1_score(truth[drawn], said[drawn], average="macro", zero_division=0)
        assert found[row] == pytest.approx(expected, abs=1e-12)


def test_the_interval_of_a_mean_is_as_wide_as_theory_says():
    random = np.random.default_rng(0)
    values = random.normal(size=400)
    weights = comparison.resamples(400, 4000, 1)
    found = comparison.interval(weights @ values / 400)
    assert found.mean == pytest.approx(values.mean(), abs=0.005)
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.05)


def test_equal_decisions_differ_by_nothing():
    truth = np.random.default_rng(0).random((30, 4)) < 0.3
    weights = comparison.resamples(30, 50, 0)
    ours, theirs = (comparison.resampled_macro_f1(*scored(truth, truth), weights) for _ in range(2))
    assert comparison.interval(ours - theirs) == (0, 0, 0)


def test_resamples_are_seeded_and_complete():
    found = comparison.resamples(50, 7, 3)
    assert found.shape == (7, 50)
    assert (found.sum(axis=1) == 50).all()
    np.testing.assert_array_equal(found, comparison.resamples(50, 7, 3))
    assert (found != comparison.resamples(50, 7, 4)).any()
