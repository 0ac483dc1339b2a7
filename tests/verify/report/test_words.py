"""How good an artifact is, in words: from the evaluation's rows, and only where they say it."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.metrics import f1_score

from core.contract import MULTI_LABEL
from core.thresholds import Scored
from tests.support import pages
from verify import readable
from verify.quality import evaluate
from verify.report import names
from verify.report.words import lead, quality


def row(label, f1, support):
    return {"label": label, "f1": f1, "recall": f1, "support": support}


ROWS = [row("a", 0.9, 40), row("b", 0.5, 30), row("c", 0.95, 29), row("d", 0.2, 90), row("e", 0.1, 6)]
FOUND = {"labels": ROWS, "split": "test", "texts": 100, "data": "Own"}


def test_labels_of_few_texts_are_not_called_weak_but_named():
    assert quality.best_and_weakest(FOUND) == "By F1 best at a (0.900), weakest at d (0.200)."
    assert quality.too_few(FOUND) == "e (6) and c (29) have fewer than 30 test texts: their F1 says little."
    assert (
        quality.too_few(FOUND | {"labels": ROWS[:3]})
        == "c (29) has fewer than 30 test texts: its F1 says little."
    )
    assert quality.best_and_weakest(FOUND | {"labels": ROWS[:3]}) is None
    assert quality.too_few(FOUND | {"labels": ROWS[:2]}) is None
    many = FOUND | {"labels": [row(f"l{n}", 0.5, 5) for n in range(50)]}
    assert quality.too_few(many) == "50 labels have fewer than 30 test texts: their F1 says little."


@pytest.fixture(scope="module")
def evaluated():
    """Rows as `make evaluate` writes them, of a random multi-label answer, and what they were made of."""
    random = np.random.default_rng(3)
    truth = random.random((400, 4)) < np.array([0.4, 0.3, 0.02, 0.2])
    scores = np.where(random.random(truth.shape) < 0.7, truth, ~truth).astype(np.float32)
    scored = Scored(list("abcd"), truth, scores, MULTI_LABEL)
    return {**evaluate.figures(scored, np.full(4, 0.5)), **{"texts": 400, "split": "test"}}, truth, scores


def test_what_is_right_is_counted_over_all_labels(evaluated):
    found, truth, scores = evaluated
    right = (truth & (scores >= 0.5)).sum()
    said = quality.right({**found, "data": "Own"}, "*")
    shares = [readable.percent(right / (scores >= 0.5).sum()), readable.percent(right / truth.sum())]
    assert re.findall(r"\*(.*?)\*", said) == shares
    assert (
        quality.right({key: value for key, value in found.items() if key != "micro"} | {"data": "Own"})
        is None
    )


def test_a_difference_of_less_than_a_text_is_none(evaluated):
    found, truth, scores = evaluated
    fewer = scores.copy()
    fewer[np.flatnonzero(truth[:, 2] & (scores[:, 2] >= 0.5))[0], 2] = 0
    before, after = (f1_score(truth, answer >= 0.5, average="macro") for answer in (scores, fewer))
    other = {**found, "macro": found["macro"] | {"f1": found["macro"]["f1"] + 0.001}}
    said = quality.no_difference([found, other])
    texts = truth[:, 2].sum()
    assert f"missing one more of the {texts} texts of c moves it by {readable.error(before - after)}." in said
    larger = {**found, "macro": found["macro"] | {"f1": found["macro"]["f1"] + before - after + 0.001}}
    assert quality.no_difference([found, larger]) is None
    assert quality.no_difference([found]) is None
    assert quality.no_difference([]) is None


def test_without_a_description_labels_are_named():
    described = pages.described()
    described["head"]["labels"] = ["late", "damaged", "praise"]
    said = "Labels a text with 3 labels: late, damaged and praise. A text may get several labels, or none."
    assert lead.what(described, {}) == said
    described["head"]["labels"] = list("abcdefgh")
    assert "8 labels: a, b, c, d, e, f and others." in lead.what(described, {})


def test_the_bound_of_a_guard_is_the_one_over_texts():
    assert names.bound(pages.GUARD["bound"]) == (
        "of 5,000 texts at most 2 get other labels than in float32, at 95 % confidence"
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0"), (3e-8, "under 0.00001"), (1.234e-5, "0.000012"), (0.00072, "0.00072"), (0.125, "0.12")],
)
def test_errors_of_a_column_are_in_one_notation(value, said):
    assert readable.small(value) == said


def test_numbers_of_texts_have_their_thousands_apart():
    given = "3000 texts of 2024 and 402 general texts, 5426 other texts"
    assert readable.grouped(given) == "3,000 texts of 2024 and 402 general texts, 5,426 other texts"
    assert [readable.counted(share, 5427) for share in (None, 0.0, 1 / 5427)] == ["–", "0", "1 (0.018 %)"]
    assert readable.decimal(1e-5) == "0.00001"
