"""Thresholds on the grid, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from core.contract import MULTI_LABEL
from core.decisions import decide, macro_f1
from core.thresholds import GRID
from export.training.tuning import macro_f1_across_halves, tune


@pytest.fixture
def drawn():
    random = np.random.default_rng(3)
    truth = random.random((200, 4)) < [0.5, 0.1, 0.02, 0.0]
    noise = random.random(truth.shape)
    return truth, (0.4 * truth + 0.6 * noise).astype(np.float32)


def test_no_threshold_of_the_grid_is_better(drawn):
    truth, probabilities = drawn
    for column, limit in enumerate(tune(truth, probabilities)):
        by_limit = [
            f1_score(truth[:, column], probabilities[:, column] >= np.float32(one), zero_division=0.0)
            for one in GRID
        ]
        assert limit == GRID[int(np.argmax(by_limit))]


def test_a_label_without_a_positive_gets_the_lowest(drawn):
    truth, probabilities = drawn
    assert not truth[:, 3].any()
    assert tune(truth, probabilities)[3] == GRID[0]


def test_the_lowest_of_equal_thresholds():
    assert tune(np.array([[False], [True], [True]]), np.float32([[0.2], [0.6], [0.9]])).tolist() == [0.25]


def test_a_threshold_is_met_by_an_equal_probability():
    assert tune(np.array([[False], [True]]), np.float32([[0.9499], [0.95]])).tolist() == [0.95]


def test_across_halves_a_threshold_that_chases_noise_does_not_pay(drawn):
    truth, probabilities = drawn
    random = np.random.default_rng(0)
    found = []
    for _ in range(10):
        half = random.random(len(truth)) < 0.5
        decisions = np.zeros_like(truth)
        for tuned, decided in ((half, ~half), (~half, half)):
            for column in range(truth.shape[1]):
                (limit,) = tune(truth[tuned][:, [column]], probabilities[tuned][:, [column]])
                decisions[decided, column] = probabilities[decided, column] >= np.float32(limit)
        found.append(f1_score(truth, decisions, average="macro", zero_division=0.0))
    across = macro_f1_across_halves(truth, probabilities)
    assert across == pytest.approx(np.mean(found), abs=1e-12)
    assert across < macro_f1(truth, decide(probabilities, tune(truth, probabilities), MULTI_LABEL))
