"""Thresholds against scikit-learn: counts, candidates, the best of them, floors, and the methods."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import fbeta_score, precision_recall_curve

from core import thresholds
from core.errors import ThresholdError
from core.thresholds import METHODS, PUBLISHED, Choice, Floor, Scored, choose, held_out

BETAS = (0.5, 1.0, 2.0)


def scores(seed, texts=60, share=0.3, ties=True):
    """Truth and float32 probabilities that know something of it; with ties, of few values."""
    random = np.random.default_rng(seed)
    truth = random.random(texts) < share
    truth[0] = True
    probability = np.clip(random.normal(0.3 + 0.2 * truth, 0.2), 0.01, 0.99)
    return truth, (np.round(probability, 2) if ties else probability).astype(np.float32)


def split(seed=0, texts=400, shares=(0.3, 0.1, 0.02)):
    columns = [scores(seed + index, texts, share, ties=False) for index, share in enumerate(shares)]
    truth, probabilities = (np.stack(part, axis=1) for part in zip(*columns, strict=True))
    return Scored([f"label{index}" for index in range(len(shares))], truth, probabilities)


@given(st.integers(0, 2**32 - 1), st.integers(1, 80), st.booleans())
def test_counts_are_scikit_learns_curve(seed, texts, ties):
    truth, probability = scores(seed, texts, ties=ties)
    candidates = thresholds.exact(probability)
    found = thresholds.count(truth, probability, candidates)
    precision, recall, limits = precision_recall_curve(truth, probability)
    np.testing.assert_array_equal(candidates, limits)
    np.testing.assert_allclose(found.precision(), precision[:-1], atol=1e-12)
    np.testing.assert_allclose(found.recall(), recall[:-1], atol=1e-12)


@given(st.integers(0, 2**32 - 1), st.sampled_from(BETAS), st.sampled_from(["grid", "exact"]))
@settings(deadline=None)  # scikit-learn once a candidate: slow on a busy machine
def test_the_best_candidate_is_scikit_learns_and_the_lowest_of_equals(seed, beta, kind):
    truth, probability = scores(seed)
    candidates = thresholds.CANDIDATES[kind](probability)
    expected = [
        fbeta_score(truth, probability >= np.float32(limit), beta=beta, zero_division=0)
        for limit in candidates
    ]
    counts = thresholds.count(truth, probability, candidates)
    np.testing.assert_allclose(counts.f_beta(beta), expected, atol=1e-12)
    found = thresholds.best(candidates, counts, beta)
    equals = candidates[np.isclose(expected, max(expected), rtol=0, atol=1e-12)]
    assert found == equals.min()


def test_the_grid_is_the_published_cards():
    expected = [f"0.{step:02d}" for step in range(5, 100, 5)]
    assert [f"{value:.2f}" for value in thresholds.CANDIDATES["grid"](np.zeros(0, np.float32))] == expected


@given(st.integers(0, 2**32 - 1), st.sampled_from(["precision", "recall"]), st.floats(0.05, 0.9))
def test_a_floor_is_kept_and_the_other_is_the_best_there(seed, kind, least):
    truth, probability = scores(seed)
    candidates = thresholds.exact(probability)
    precision, recall, _ = precision_recall_curve(truth, probability)
    rates = {"precision": precision[:-1], "recall": recall[:-1]}
    counts = thresholds.count(truth, probability, candidates)
    kept = rates.pop(kind)
    (other,) = rates.values()
    if not (kept >= least).any():
        with pytest.raises(ThresholdError, match=f"{kind}: found at most {kept.max():.4f}, expected"):
            thresholds.best_above(candidates, counts, Floor(kind, least))
        return
    chosen = candidates == thresholds.best_above(candidates, counts, Floor(kind, least))
    assert kept[chosen] >= least
    assert other[chosen] == other[kept >= least].max()


@given(st.floats(2**-100, 1, exclude_max=True, width=32))
def test_the_shortest_decimal_is_the_same_float32(value):
    written = json.dumps(thresholds.shortest(value))
    assert np.float32(json.loads(written)) == np.float32(value)
    assert len(written) <= len(json.dumps(value))


def test_no_probability_is_a_candidate():
    with pytest.raises(ThresholdError, match="no probability between 0 and 1 among 2"):
        thresholds.exact(np.array([0, 1], np.float32))


def test_plain_is_the_best_of_each_label():
    scored = split()
    for kind in ("grid", "exact"):
        found = choose(scored, Choice("plain", kind))
        for index, limit in enumerate(found):
            truth, probability = scored.truth[:, index], scored.probabilities[:, index]
            best = max(
                fbeta_score(truth, probability >= np.float32(c), beta=1, zero_division=0)
                for c in thresholds.CANDIDATES[kind](probability)
            )
            got = fbeta_score(truth, probability >= np.float32(limit), beta=1, zero_division=0)
            assert got == pytest.approx(best, abs=1e-12)


def test_the_published_way_is_the_lowest_of_the_grids_best_by_scikit_learn():
    scored = split()
    expected = []
    for truth, probability in zip(scored.truth.T, scored.probabilities.T, strict=True):
        figures = [fbeta_score(truth, probability >= np.float32(t), beta=1) for t in thresholds.GRID]
        expected.append(thresholds.GRID[int(np.argmax(figures))])
    assert choose(scored, PUBLISHED).tolist() == expected


def test_shrinking_moves_a_rare_label_towards_the_others_and_hardly_a_frequent_one():
    """Three labels that behave alike but for one rare label whose only positives score high."""
    random = np.random.default_rng(0)
    truth = random.random((4000, 3)) < np.array([0.25, 0.25, 0.002])
    truth[:4, 2] = True
    probability = np.clip(random.normal(0.2 + 0.3 * truth, 0.1), 0.001, 0.999)
    probability[truth[:, 2], 2] = 0.9
    scored = Scored(["a", "b", "rare"], truth, probability.astype(np.float32))
    own = choose(scored, Choice("plain", "exact"))
    moved = choose(scored, Choice("shrunk", "exact"))
    others = own[:2].mean()
    assert abs(moved[2] - others) < abs(own[2] - others) - 0.2
    assert abs(moved[:2] - own[:2]).max() < 0.03


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["grid", "exact"])
def test_every_method_is_deterministic_and_within_bounds(method, kind):
    scored = split()
    found = choose(scored, Choice(method, kind))
    np.testing.assert_array_equal(found, choose(scored, Choice(method, kind)))
    assert ((found > 0) & (found < 1)).all()


def test_held_out_decisions_do_not_see_their_own_texts():
    scored = split()
    decided = held_out(scored, Choice("plain", "exact"), 0)
    changed = Scored(scored.labels, scored.truth.copy(), scored.probabilities)
    # One text's truth can change every decision but its own.
    changed.truth[17] = ~changed.truth[17]
    np.testing.assert_array_equal(held_out(changed, Choice("plain", "exact"), 0)[17], decided[17])


def test_a_label_without_positives_is_named():
    scored = split()
    scored.truth[:, 1] = False
    with pytest.raises(ThresholdError, match="label 'label1': found no positive text"):
        choose(scored, Choice())


def test_a_floor_that_cannot_be_kept_names_the_label():
    with pytest.raises(ThresholdError, match=r"label 'label2': precision: found at most .*, expected 1"):
        choose(split(), Choice("plain", "grid", floors={"label2": Floor("precision", 1.0)}))
