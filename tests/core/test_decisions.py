"""The decision, and precision, recall and F1 of decisions, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logit, softmax
from sklearn.metrics import fbeta_score, precision_recall_fscore_support

from core import decisions
from core.contract import MULTI_LABEL, SINGLE_LABEL


def test_a_threshold_is_met_by_the_float32_that_is_equal_to_it():
    thresholds = decisions.threshold_vector({"b": 0.2, "a": 0.1}, ["a", "b"])
    assert thresholds.dtype == np.float32
    assert thresholds.tolist() == [np.float32(0.1), np.float32(0.2)]
    exact = np.array([[0.1, 0.2]], np.float32)
    below = np.nextafter(exact, np.float32(0))
    assert decisions.decide(np.concatenate([exact, below]), thresholds, MULTI_LABEL).tolist() == [
        [True, True],
        [False, False],
    ]


def test_a_decision_is_float32s_whatever_the_types_given():
    # 0.7 is above its float32: in float64 the same probability would be below the threshold.
    assert np.float64(np.float32(0.7)) < 0.7
    for probability in (np.float32([0.7]), np.float64(np.float32([0.7]))):
        for threshold in (np.float32([0.7]), np.array([0.7])):
            assert decisions.decide(probability, threshold, MULTI_LABEL).tolist() == [True]


@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 2**32 - 1), st.floats(0, 1), st.floats(0, 1))
def test_figures_are_scikit_learns(texts, labels, seed, share_true, share_decided):
    random = np.random.default_rng(seed)
    truth = random.random((texts, labels)) < share_true
    decided = random.random((texts, labels)) < share_decided
    counts = decisions.count(truth, decided)
    # A column of its own each: with one label, scikit-learn would take the matrix for binary.
    columns = [
        precision_recall_fscore_support(truth[:, i], decided[:, i], average="binary", zero_division=0)[:3]
        for i in range(labels)
    ]
    expected = np.array(columns).T
    for mine, theirs in zip((counts.precision(), counts.recall(), counts.f_beta()), expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-12)
    support = truth.sum(axis=0)
    np.testing.assert_array_equal(counts.support, support)
    averages = counts.averages()
    assert list(averages["macro"]) == ["precision", "recall", "f1"]
    np.testing.assert_allclose(list(averages["macro"].values()), expected.mean(axis=1), atol=1e-12)
    assert decisions.macro_f1(truth, decided) == pytest.approx(averages["macro"]["f1"], abs=1e-12)
    if support.sum():
        weighted = (expected * support).sum(axis=1) / support.sum()
        np.testing.assert_allclose(list(averages["weighted"].values()), weighted, atol=1e-12)
    together = precision_recall_fscore_support(
        truth.ravel(), decided.ravel(), average="binary", zero_division=0
    )
    np.testing.assert_allclose(list(averages["micro"].values()), together[:3], atol=1e-12)
    twice = decisions.count(truth, decided).f_beta(2)
    theirs = [fbeta_score(truth[:, i], decided[:, i], beta=2, zero_division=0) for i in range(labels)]
    np.testing.assert_allclose(twice, theirs, atol=1e-12)


def test_weights_count_a_text_as_often_as_they_say():
    random = np.random.default_rng(0)
    truth, decided = random.random((2, 30, 4)) < 0.3
    weights = random.integers(0, 3, (5, 30))
    found = decisions.count(truth, decided, weights.astype(float))
    for row, times in enumerate(weights):
        drawn = np.repeat(np.arange(30), times)
        once = decisions.count(truth[drawn], decided[drawn])
        for mine, theirs in zip(found, once, strict=True):
            np.testing.assert_array_equal(mine[row], theirs)


def test_logits_are_log_odds():
    z = np.linspace(-30, 30, 61)
    positive, negative = 1 / (1 + np.exp(-z)), 1 / (1 + np.exp(z))
    found = decisions.log_odds(negative, positive)
    np.testing.assert_allclose(found, z, atol=1e-12)
    np.testing.assert_allclose(found[20:41], logit(positive[20:41]), atol=1e-9)
    assert decisions.log_odds(negative.astype(np.float32), positive.astype(np.float32)).dtype == np.float32


def test_logits_of_certainty_are_finite():
    found = decisions.log_odds(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    np.testing.assert_allclose(found, np.array([-1, 1]) * 87.33654, atol=1e-4)


def test_a_single_label_decision_is_the_highest_and_the_first_of_equals():
    probabilities = np.array([[0.2, 0.5, 0.3], [0.4, 0.2, 0.4], [0.3, 0.3, 0.4]], np.float32)
    always = decisions.decide(probabilities, np.zeros(3), SINGLE_LABEL)
    assert always.tolist() == np.eye(3, dtype=bool)[[1, 0, 2]].tolist()


def test_a_single_label_says_nothing_below_its_own_threshold_and_never_another_label():
    probabilities = np.array([[0.2, 0.5, 0.3], [0.4, 0.2, 0.4], [0.3, 0.3, 0.4]], np.float32)
    floors = np.array([0.4, np.nextafter(np.float32(0.5), np.float32(1)), 0.4], np.float32)
    found = decisions.decide(probabilities, floors, SINGLE_LABEL)
    assert found.tolist() == [[False] * 3, [True, False, False], [False, False, True]]


def test_logarithms_of_probabilities_are_logits_but_for_a_constant_a_row():
    logits = np.random.default_rng(0).normal(0, 5, (20, 6))
    expected = softmax(logits, axis=1)
    found = decisions.log_probabilities(expected)
    np.testing.assert_allclose(softmax(found, axis=1), expected, atol=1e-12)
    np.testing.assert_allclose(decisions.log_softmax(logits), found, atol=1e-9)
    assert np.isfinite(decisions.log_probabilities(np.array([0.0, 1.0], np.float32))).all()
