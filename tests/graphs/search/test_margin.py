"""Margins keep a budget on texts that they were not chosen on, and ask few more than an oracle would."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit, softmax
from scipy.stats import poisson

from core import decisions
from core.contract import MULTI_LABEL, SINGLE_LABEL
from core.errors import GraphError
from graphs.search import margin

THRESHOLDS = np.array([0.2, 0.5, 0.05, 0.3, 0.15, 0.4, 0.25, 0.1])
SCALES = np.array([0.03, 0.06, 0.05, 0.1, 0.04, 0.05, 0.08, 0.05])
DRAWS = {
    "normal": lambda random, shape: random.normal(size=shape),
    "Laplace": lambda random, shape: random.laplace(size=shape) / np.sqrt(2),
    "Student's t": lambda random, shape: random.standard_t(5, shape) / np.sqrt(5 / 3),
    # Some texts err more than others, in all labels.
    "mixture": lambda random, shape: random.normal(size=shape) * random.lognormal(0, 0.3, (shape[0], 1)),
}


def answers(draw, count, seed):
    """Probabilities of a half and of the float graph; the half errs as `draw` says, a scale a label."""
    random = np.random.default_rng(seed)
    exact = random.normal(-2, 1.5, (count, len(THRESHOLDS)))
    return expit(exact + SCALES * draw(random, exact.shape)), expit(exact)


def judged(half, exact, margins):
    """The share of texts asked again, and the flip rate of the others."""
    asked = (abs(logit(half) - logit(THRESHOLDS)) < margins).any(axis=1)
    flips = ((half >= THRESHOLDS) != (exact >= THRESHOLDS)).any(axis=1)
    return asked.mean(), (flips & ~asked).mean()


def oracle(half, exact, rate):
    """The asked share at the least scale of margins with that flip rate, on texts without number."""
    nearest = (abs(logit(half) - logit(THRESHOLDS)) / SCALES).min(axis=1)
    flips = ((half >= THRESHOLDS) != (exact >= THRESHOLDS)).any(axis=1)
    left = flips.mean() - np.cumsum(flips[np.argsort(nearest)]) / len(flips)
    return (int(np.argmax(left <= rate)) + 1) / len(flips)


@pytest.fixture(scope="module", params=DRAWS, ids=DRAWS)
def kind(request):
    draw = DRAWS[request.param]
    return draw, answers(draw, 100_000, 1)


@pytest.mark.parametrize("budget", [0.01, 0.0005])
def test_margins_keep_their_budget_and_ask_little_more_than_they_must(kind, budget):
    draw, fresh = kind
    chosen = margin.choose(margin.distances(*answers(draw, 4000, 2), THRESHOLDS, MULTI_LABEL), budget)
    asked, flips = judged(*fresh, chosen.margins)
    assert margin.distances(*fresh, THRESHOLDS, MULTI_LABEL).flip_rate(chosen.margins) == flips
    limit = margin.expected_rate(budget)
    # Of 100,000 texts a rate at the limit shows one standard error more in one case of six.
    assert flips <= limit + np.sqrt(limit / 100_000)
    assert asked <= 1.25 * oracle(*fresh, limit)
    assert chosen.expected <= chosen.bound <= limit
    assert chosen.asked == pytest.approx(asked, abs=0.03)
    assert np.array(chosen.margins) / chosen.scale == pytest.approx(SCALES, rel=0.15)


@pytest.mark.parametrize("budget", [0.01, 0.002, 0.0005, 0.0001])
def test_the_expected_rate_is_that_of_a_count_within_the_budget(budget):
    rate, allowed = margin.expected_rate(budget), int(budget * margin.COUNTED_TEXTS)
    assert rate < budget
    assert poisson.cdf(allowed, rate * margin.COUNTED_TEXTS) == pytest.approx(0.95, abs=1e-6)


def test_fewer_texts_give_wider_margins():
    draw = DRAWS["normal"]
    few, many = (
        margin.choose(margin.distances(*answers(draw, count, 9), THRESHOLDS, MULTI_LABEL), 0.001)
        for count in (100, 2000)
    )
    assert few.scale > many.scale


def test_an_exact_half_asks_nothing():
    _, exact = answers(DRAWS["normal"], 500, 3)
    chosen = margin.choose(margin.distances(exact, exact, THRESHOLDS, MULTI_LABEL), 0.0005)
    assert chosen.asked == 0
    assert max(chosen.margins) < 1e-6


def test_a_half_that_knows_nothing_asks_all():
    random = np.random.default_rng(4)
    half, exact = (expit(random.normal(size=(500, len(THRESHOLDS)))) for _ in range(2))
    chosen = margin.choose(margin.distances(half, exact, THRESHOLDS, MULTI_LABEL), 0.0005)
    assert chosen.asked == 1
    assert judged(half, exact, chosen.margins) == (1, 0)


@pytest.mark.parametrize("thresholds", [np.zeros(5), np.full(5, 0.4)], ids=["none", "0.4"])
def test_of_a_single_label_the_highest_is_told_from_the_next_and_from_its_threshold(thresholds):
    def drawn(count, seed):
        random = np.random.default_rng(seed)
        exact = random.normal(0, 2, (count, 5))
        return softmax(exact + random.normal(0, 0.05, exact.shape), axis=1), softmax(exact, axis=1)

    chosen = margin.choose(margin.distances(*drawn(3000, 5), thresholds, SINGLE_LABEL), 0.0005)
    assert len(set(chosen.margins)) == 1
    half, exact = drawn(100_000, 6)
    ordered, most = np.sort(np.log(half), axis=1), half.max(axis=1)
    near = ordered[:, -1] - ordered[:, -2] < chosen.margins[0]
    if thresholds.any():
        near |= abs(logit(most) - logit(0.4)) < chosen.margins[0]
    ours, theirs = (decisions.decide(p, thresholds, SINGLE_LABEL) for p in (half, exact))
    flips = (ours != theirs).any(axis=1)
    assert flips.mean() > 0.005
    assert (flips & ~near).mean() <= margin.expected_rate(0.0005)
    assert near.mean() == pytest.approx(chosen.asked, abs=0.02)
    assert near.mean() < 0.2


def test_too_few_texts_are_refused():
    few = margin.distances(*answers(DRAWS["normal"], 49, 7), THRESHOLDS, MULTI_LABEL)
    with pytest.raises(GraphError, match="found 49 held-out texts, expected 50 or more"):
        margin.choose(few, 0.0005)


def test_an_answer_that_is_not_a_number_is_refused():
    half, exact = answers(DRAWS["normal"], 60, 8)
    half[3, 2] = np.nan
    with pytest.raises(GraphError, match="found an answer that is not a number"):
        margin.distances(half, exact, THRESHOLDS, MULTI_LABEL)
