"""What card and report say of a guarded variant, with what its graph states."""

from __future__ import annotations

import re

import pytest

from core import recipe as recipes
from core.contract import MULTI_LABEL, SINGLE_LABEL
from tests.support import pages
from tests.support.places import DEFAULT
from verify.report import card, report

NEAR = {MULTI_LABEL: "some label and its threshold", SINGLE_LABEL: "the two highest labels, or the highest"}


@pytest.fixture(params=NEAR)
def described(request):
    content = pages.guarded() | {"text": None}
    content["head"]["problem_type"] = request.param
    return content


def pages_of(described, folder):
    """Card and report as running text."""
    made = (
        card.render(recipes.load(DEFAULT), described),
        report.render(described, pages.files(), folder),
    )
    assert "\n\n\n" not in made[0]
    return [" ".join(re.sub(r"<[^>]+>", " ", page).split()) for page in made]


def test_it_says_what_is_near_and_the_bound(described, tmp_path):
    near = NEAR[described["head"]["problem_type"]]
    made = pages_of(described, tmp_path)
    for page in made:
        assert f"and again in float32 where {near}" in page
        assert "an int8 half, whose probabilities need not be those of the file int8" in page
        assert "nearer than a margin: 0.062 to 0.25 in log-odds" in page
        assert page.count("again in float32") == 1
        # Of all that the graph states, one bound: that over texts.
        assert (
            "chosen so that of 5,000 texts at most 2 get other labels than in float32, at 95 % confid" in page
        )
        assert "0.00014" not in page


def test_margins_of_which_nothing_is_known(described, tmp_path):
    described["variants"][2]["guard"] = pages.GUARD | {"bound": ""}
    for page in pages_of(described, tmp_path):
        assert "depends on the text alone." in page
        assert "The margins were" not in page


def test_no_other_variant_has_such_a_sentence(tmp_path):
    for page in pages_of(pages.described() | {"text": None}, tmp_path):
        assert "again in float32" not in page
