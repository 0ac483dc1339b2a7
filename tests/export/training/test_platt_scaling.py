"""Platt scaling: what is off is mended, what is right is left alone."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss

from export.training import platt_scaling


@pytest.fixture
def drawn():
    """Three labels: right; twice too sure and moved; so rare that a fit is noise."""
    random = np.random.default_rng(0)
    right = random.standard_normal((4000, 3)) * 1.5 - [1.0, 1.0, 7.5]
    truth = random.random(right.shape) < 1 / (1 + np.exp(-right))
    return truth, np.stack([right[:, 0], 2 * right[:, 1] + 1, right[:, 2]], axis=1)


def test_log_loss_is_scikit_learns(drawn):
    truth, logits = drawn
    expected = log_loss(truth[:, 1], 1 / (1 + np.exp(-logits[:, 1])))
    assert platt_scaling.log_loss(truth[:, 1], logits[:, 1]) == pytest.approx(expected, abs=1e-12)


def test_only_the_label_that_is_off_is_mended(drawn):
    found = platt_scaling.fit(*drawn)
    np.testing.assert_allclose(found[1], [0.5, -0.5], atol=0.1)
    assert found[[0, 2]].tolist() == [[1.0, 0.0], [1.0, 0.0]]


def test_no_ranking_is_turned_round(drawn):
    truth, logits = drawn
    found = platt_scaling.fit(truth, -logits)
    assert (found[:, 0] > 0).all()


def test_a_label_without_a_text_is_left_alone(drawn):
    truth, logits = drawn
    assert platt_scaling.fit(np.zeros_like(truth), logits).tolist() == [[1.0, 0.0]] * 3
