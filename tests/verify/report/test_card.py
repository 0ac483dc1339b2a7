"""The model card says of the recipe's data what was measured on them, and no more."""

from __future__ import annotations

import pytest

from core import recipe as recipes
from tests.support import pages
from tests.support.places import DEFAULT
from verify.report import card

DATA = {"name": "Own", "hub_id": "me/own", "hub_config": None}
FIGURES = {"f1": 0.5, "precision": 0.25, "recall": 0.75}
EVALUATION = {
    "variant": "int8",
    "data": "Own",
    "split": "test",
    "texts": 5427,
    "macro": FIGURES,
    "weighted": FIGURES,
    "labels": [{"label": "joy", **FIGURES, "support": 7, "threshold": 0.25}],
}


def render(compared, evaluations):
    """A card of which the data's token ids were `compared`, or not (None)."""
    described = pages.described()
    lists = {"hostile": {"texts": 353, "differ": 0}, "Own": compared}
    text = {
        "file": "onnx/model_text.onnx",
        "size": 27_000_000,
        "variant": "int8",
        "token_ids": lists,
        "answers": {"texts": 972, "max_probability_difference": 0.0},
    }
    return card.render(
        recipes.load(DEFAULT), {**described, "text": text, "evaluations": evaluations, "data": DATA}, ""
    )


@pytest.mark.parametrize("evaluations", [[], [EVALUATION]], ids=["before", "after make evaluate"])
@pytest.mark.parametrize("compared", [None, {"texts": 5427, "differ": 0}], ids=["without", "with"])
def test_what_was_measured_on_the_data(compared, evaluations):
    rendered = render(compared, evaluations)
    assert "at hand" not in rendered
    assert ("Own's test split was not compared" in rendered) == (compared is None)
    assert ("5,427 Own texts (0 differ)" in rendered) == (compared is not None)
    assert "353 hostile texts (0 differ)" in rendered
    assert ("Own test split, 5427 texts, variant `int8`" in rendered) == bool(evaluations)
    assert ("| joy | 0.500 | 0.250 | 0.750 | 7 | 0.25 |" in rendered) == bool(evaluations)
    assert ("| label | threshold |" in rendered) == (not evaluations)
