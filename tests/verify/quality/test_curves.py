"""Precision-recall and reliability against scikit-learn, and against a count one text at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve

from verify.quality.curves import BINS, precision_recall, reliability
from verify.report.plots import points

# Few different scores, so that many are the same.
SCORES = st.lists(st.tuples(st.booleans(), st.integers(0, 40)), min_size=1, max_size=60)


def arrays(rows):
    return np.array([row[0] for row in rows]), np.array([row[1] / 40 for row in rows], np.float32)


@given(SCORES)
def test_precision_and_recall_are_scikit_learns(rows):
    truth, scores = arrays(rows)
    found = precision_recall(truth, scores)
    if truth.any():
        expected = precision_recall_curve(truth, scores)
        for mine, theirs in zip((found.precision, found.recall, found.thresholds), expected, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-12)
        assert found.average_precision == pytest.approx(average_precision_score(truth, scores), abs=1e-12)
    else:
        assert set(found.precision[:-1]) == {0}
        assert set(found.recall[:-1]) == {1}


@given(SCORES)
def test_reliability_against_a_count_one_text_at_a_time(rows):
    truth, scores = arrays(rows)
    found = reliability(truth, scores)
    bins = [[] for _ in range(BINS)]
    for yes, score in zip(truth.tolist(), scores.tolist(), strict=True):
        bins[min(int(score * 10), 9)].append((yes, score))
    error = 0.0
    for index, inside in enumerate(bins):
        assert found.counts[index] == len(inside)
        if inside:
            observed = sum(yes for yes, _ in inside) / len(inside)
            predicted = sum(score for _, score in inside) / len(inside)
            assert (found.observed[index], found.predicted[index]) == pytest.approx((observed, predicted))
            error += len(inside) / len(rows) * abs(observed - predicted)
    assert found.error == pytest.approx(error, abs=1e-12)


def test_reliability_by_hand():
    # Two texts at 0.25, one of them true; one at 1, which belongs to the last bin.
    found = reliability(np.array([True, False, True]), np.array([0.25, 0.25, 1], np.float32))
    assert found.counts.tolist() == [0, 0, 2, 0, 0, 0, 0, 0, 0, 1]
    assert found.error == pytest.approx(2 / 3 * 0.25)


def test_drawn_points_are_half_a_unit_from_the_curve_at_most():
    x = np.linspace(0, 1, 5001)
    drawn = np.array(points(x, x**2))
    assert len(drawn) < 600
    # The plot's square: 150 by 122 units, its origin at (24, 128).
    exact = np.stack([24 + 150 * x, 128 - 122 * x**2], axis=1)
    distance = abs(exact[:, None] - drawn[None]).max(axis=2)
    assert distance.min(axis=1).max() <= 0.5
    assert distance.min(axis=0).max() <= 0.25 + 1e-9
