"""The model card says of the recipe's data what was measured on them, and no more."""

from __future__ import annotations

import re

import pytest

from core import recipe as recipes
from core.recipe import CardTable
from tests.support import pages
from tests.support.places import DEFAULT
from verify.report import card

DATA = {"name": "Own", "hub_id": "me/own", "hub_config": None, "sha256": {}}
DATA |= {"description": None, "license": None, "limits": [], "biases": []}
OTHERS = [
    {"model": "Big | one", "f1": "0.541", "thresholds": "swept", "size": "125 MB"},
    {"model": "Old one", "f1": "0.46", "thresholds": "not said", "size": None},
]
FIGURES = {"f1": 0.5, "precision": 0.25, "recall": 0.75}
EVALUATION = {
    "variant": "int8",
    "data": "Own",
    "split": "test",
    "flips_from_fp32": 0.03,
    "texts": 5427,
    "macro": FIGURES,
    "weighted": FIGURES,
    "micro": {"f1": 0.5, "precision": 0.492, "recall": 0.644},
    "labels": [{"label": "joy", **FIGURES, "support": 7, "threshold": 0.25}],
}


def rendered_card(*given):
    """A card, its numbers with plain spaces; every heading and table stands by itself."""
    rendered = card.render(*given).replace("\u00a0", " ")
    body = re.sub(r"```.*?```", "code", rendered.split("\n---\n", 1)[1], flags=re.DOTALL)
    assert not re.search(r"\n\n\n|[^\n]\n#|^#[^\n]*\n[^\n]|^\|.*\n[^|\n]", body, flags=re.MULTILINE)
    return rendered


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
    return rendered_card(
        recipes.load(DEFAULT), {**described, "text": text, "evaluations": evaluations, "data": DATA}
    )


@pytest.mark.parametrize("evaluations", [[], [EVALUATION]], ids=["before", "after make evaluate"])
@pytest.mark.parametrize("compared", [None, {"texts": 5427, "differ": 0}], ids=["without", "with"])
def test_what_was_measured_on_the_data(compared, evaluations):
    rendered = render(compared, evaluations)
    assert "at hand" not in rendered
    assert rendered.count(" MB | ") == 3
    assert rendered.startswith("---\n")
    assert ("Own's test split was not compared" in rendered) == (compared is None)
    assert ("5,427 Own texts (0 differ)" in rendered) == (compared is not None)
    assert "353 hostile texts (0 differ)" in rendered
    assert ("`int8` on Own, test split, 5,427 texts" in rendered) == bool(evaluations)
    assert ("| joy | 0.500 | 0.250 | 0.750 | 7 | 0.25 |" in rendered) == bool(evaluations)
    assert ("| label | threshold |" in rendered) == (not evaluations)
    unknown = "how often its labels are right was not measured: make evaluate was not run."
    assert (unknown in rendered) == (not evaluations)


def test_the_first_screen_says_what_it_is_how_good_how_large_and_how_to_use_it():
    rendered = render({"texts": 5427, "differ": 0}, [EVALUATION])
    shown = "\n".join(rendered.split("\n---\n", 1)[1].splitlines()[:40])
    assert "Labels a short English text with the emotions that a reader would see in it: 27" in shown
    assert "**Begin with** `onnx/model_text.onnx`, **27 MB**. It is int8 with its tokenizer inside" in shown
    said = (
        "of the labels that it gives to the 5,427 test texts of Own, **49.2 %** are right, and of the right"
    )
    assert (
        f"**How good:** {said} ones it finds **64.4 %**; right is what the data say. Macro-F1 is **0.500**."
        in shown
    )
    for words in ("**What for:** To tell", "**Not for:** decisions", "**Mind:** An emoji", "session.run("):
        assert words in shown
    # The file that is recommended is the first program's, and the first of the table.
    assert shown.index('InferenceSession("onnx/model_text.onnx")') < shown.index(
        "| `text in` | 27 MB | 0.500 "
    )
    assert "| `int8` | 24 MB | 0.500 | 163 (3.0 %) | `onnx/model_quantized.onnx` |" in rendered
    assert "| `fp32` | 90 MB | – | – | `onnx/model.onnx` |" in rendered
    assert "of these texts get other labels than from fp32" in rendered


def test_the_programs_say_what_they_print():
    rendered = render(None, [])
    texts, tokens = re.findall(r"```python\n(.*?)```", rendered, flags=re.DOTALL)
    assert texts.endswith("\n# {'joy': 0.91}\n# {}\n")
    assert tokens.endswith("\n# {'joy': 0.9}\n# {}\n")
    assert "\n// joy 0.90\n```" in rendered
    assert 'pip install numpy "onnxruntime>=1.17"\n' in texts
    assert tokens.count("dtype=np.int64") == 2
    assert "as `int8` and `fp32` are run:" in rendered


def test_no_label_ends_a_comment():
    label = "\n```\n# Free \u2028</script>"
    described = pages.described()
    described["examples"]["answers"]["onnx/model_quantized.onnx"] = [{label: 0.5}, {}]
    rendered = card.render(recipes.load(DEFAULT), described)
    assert "\n# Free" not in rendered
    assert "\u2028" not in rendered
    assert "\n//  ``` # Free </script> 0.50\n```" in rendered


def test_others_are_beside_it_the_best_first():
    described = pages.described() | {"evaluations": [EVALUATION], "data": DATA | {"others": OTHERS}}
    rows = rendered_card(recipes.load(DEFAULT), described).split("### Beside other models")[1].splitlines()
    assert [row for row in rows if row.startswith("| ")][2:5] == [
        "| Big \\| one | 0.541 | 125 MB | swept |",
        "| **this one** | 0.500 | 24 MB | as packaged |",
        "| Old one | 0.46 | – | not said |",
    ]
    for absent in ({"evaluations": []}, {"data": DATA}):
        assert "Beside other" not in rendered_card(recipes.load(DEFAULT), described | absent)


def test_how_the_recipes_own_thresholds_were_chosen():
    recipe, described = recipes.load(DEFAULT), pages.described()
    described["head"]["source"] = recipe.head.source
    described |= {"evaluations": [EVALUATION], "data": DATA | {"others": OTHERS}}
    said = f"| **this one** | 0.500 | 24 MB | {recipe.card.thresholds} |"
    assert said in rendered_card(recipe, described)


def test_no_number_breaks_over_lines():
    assert "| 24\u00a0MB | 3\u00a0(2.5\u00a0%) |" in card.render(recipes.load(DEFAULT), pages.described())


def test_without_data_nothing_is_said_of_f1():
    described = pages.described() | {"text": None}
    rendered = rendered_card(recipes.load(DEFAULT), described)
    assert "was not measured: the recipe names no texts with labels." in rendered
    assert "F1" not in rendered
    assert "### Text in" not in rendered
    assert "**Begin with** `onnx/model_quantized.onnx`, **24 MB**. It is int8: token ids, which" in rendered
    assert "how many of the 119 reference texts get other labels than from the original" in rendered
    assert "| `int8` | 24 MB | 3 (2.5 %) | `onnx/model_quantized.onnx` |" in rendered


def test_a_variant_that_was_not_evaluated_has_no_figure():
    evaluation = EVALUATION | {"variant": "fp32", "flips_from_fp32": None}
    described = pages.described() | {"evaluations": [evaluation], "data": DATA}
    rendered = rendered_card(recipes.load(DEFAULT), described)
    assert "| `int8` | 24 MB | – | 3 (2.5 %) |" in rendered
    assert "| `fp32` | 90 MB | 0.500 | 3 (2.5 %) |" in rendered
    assert "not measured: make evaluate was not run" in rendered
    assert "`fp32` on Own, test split, 5,427 texts" in rendered


def test_speed_is_a_column_where_it_is_known():
    described = pages.described() | {"speed": pages.SPEED}
    rendered = rendered_card(recipes.load(DEFAULT), described)
    assert "| `int8` | 24 MB | 3 (2.5 %) | 583 | `onnx" in rendered
    assert "Speed: Own test, in batches of 32, 2 threads, A \\<CPU>; int8 takes 4.2 ms for" in rendered
    assert "texts/s" not in rendered_card(recipes.load(DEFAULT), pages.described())


def test_no_number_is_written_for_machines():
    rendered = render({"texts": 5427, "differ": 0}, [EVALUATION])
    assert not re.search(r"\d[eE][-+]\d", rendered)


@pytest.mark.parametrize("contract", ["stacked", "per-label"])
def test_a_program_for_each_runtime_that_runs_it(contract):
    recipe = recipes.load(DEFAULT).model_copy(update={"contract": contract})
    rendered = rendered_card(recipe, pages.described())
    assert ("### JavaScript" in rendered) == (contract == "stacked")
    assert ("library_name: transformers.js" in rendered) == (contract == "stacked")
    assert rendered.count("```python") == 1


def test_what_is_said_is_of_the_recipes_own_parts_alone():
    recipe, described = recipes.load(DEFAULT), pages.described()
    described["encoder"]["source"] = recipe.encoder.source
    described["head"] |= {"source": recipe.head.source}
    own = rendered_card(recipe, described)
    for said in ("trained on GoEmotions", "(all-MiniLM-L6-v2)", "| the classifier (", "base_model:"):
        assert said in own
    for source in ("path:", "package:"):
        assert source not in own
    described["head"]["source"], described["encoder"]["source"] = "path:/home/me/other", "path:/home/me/mine"
    other = rendered_card(recipe, described)
    for said in ("trained on GoEmotions", "(all-MiniLM-L6-v2)", "| the classifier (", "base_model:", "/home"):
        assert said not in other
    assert "from a local folder, `mine` (the encoder) and a local folder, `other`, revision" in other


def test_the_words_of_recipe_and_data_are_there():
    recipe = recipes.load(DEFAULT)
    words = {
        "description": "Texts <b>of ours</b>.",
        "license": "CC0",
        "limits": ["L1"],
        "biases": ["B1", "B2"],
    }
    described = pages.described() | {"data": DATA | words}
    rendered = rendered_card(recipe, described)
    assert f"**What for:** {recipe.card.use}" in rendered
    assert f"**Not for:** {recipe.card.misuse}" in rendered
    assert f"**Mind:** {recipe.card.limits[0]} L1\n" in rendered
    assert "Own: Texts \\<b>of ours\\</b>." in rendered
    cut = "- Texts are cut after 64 tokens, by tokenizer.json; more token ids are an error.\n"
    assert f"## Limits\n\n- {recipe.card.limits[0]}\n- L1\n{cut}\n## Known biases\n\n- B1\n- B2\n" in rendered
    assert "| the data (Own) | CC0 |" in rendered
    silent = rendered_card(recipe.model_copy(update={"card": CardTable()}), pages.described())
    for heading in ("What for", "Mind", "## Training data", "## Known biases", "## Licences", "Not for"):
        assert heading not in silent
    assert (
        "## Limits\n\n- Texts are cut after 64 tokens, by tokenizer.json; more token ids are an error.\n"
        in silent
    )


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({}, "of int8 are the same on every x86 and ARM CPU, and in WebAssembly: of the 5,419,008"),
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
    assert "\n\n\n" not in rendered
    assert "Measured on `x86_64 <Vendor> avx2 avx512_vnni` with onnxruntime 1.32.0." in rendered
