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


def render(compared, evaluations, **pairs):
    """A card of which the data's token ids were `compared`, or not (None); `pairs` are int8's."""
    described = pages.described()
    described["variants"][1]["pairs"] |= pairs
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
    assert rendered.count(" MB | 1.17 or later |\n") == 3
    assert ("Own's test split was not compared" in rendered) == (compared is None)
    assert ("5,427 Own texts (0 differ)" in rendered) == (compared is not None)
    assert "353 hostile texts (0 differ)" in rendered
    assert ("Own test split, 5427 texts, variant `int8`" in rendered) == bool(evaluations)
    assert ("| joy | 0.500 | 0.250 | 0.750 | 7 | 0.25 |" in rendered) == bool(evaluations)
    assert ("| label | threshold |" in rendered) == (not evaluations)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({}, "of int8 are the same on every x86, ARM and WebAssembly CPU: of the 5,419,008 pairs of\n"),
        ({"can_saturate": 9876}, "int8 may answer otherwise: 9,876 of its 5,419,008 pairs\nof weights can"),
        ({"unproven": 2}, "saturate 16 bits there, and 2 weights could not be looked at."),
        ({"weights": 0}, None),
    ],
)
def test_what_other_cpus_answer_is_said_of_what_was_counted(found, said):
    rendered = render(None, [], **found)
    assert rendered.count("without VNNI") == (said is not None)
    assert "fp32 may" not in rendered
    assert said is None or said in rendered
    assert ("|\n\n## Use\n" in rendered) == (said is None)
    assert "\n\n\n" not in rendered[: rendered.index("## Use")]
    assert "Measured on `x86_64 <Vendor> avx2 avx512_vnni` with onnxruntime 1.32.0." in rendered
