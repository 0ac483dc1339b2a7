"""What card, report and bill say of a single-label artifact: one label a text, and what a user must do."""

from __future__ import annotations

import json

import pytest
from huggingface_hub import ModelCard

from core import recipe as recipes
from core.contract import SINGLE_LABEL
from tests.support import pages
from tests.support.pages import LABELS
from tests.support.places import DEFAULT
from verify.report import card, report, sbom

AVERAGE = {"precision": 0.25, "recall": 0.75, "f1": 0.5}
ROWS = [{"label": label, **AVERAGE, "support": 7, "threshold": 0.0} for label in LABELS]
DATA = {"name": "Own", "hub_id": None, "hub_config": None}
DATA |= {"description": None, "license": None, "limits": [], "biases": []}
ALWAYS = dict.fromkeys(LABELS, 0.0)


def protocol(split, **more):
    figures = {"accuracy": 0.625, "answered": 1.0, "accuracy_answered": 0.625, **more}
    return {
        "data": "Own",
        "split": split,
        "texts": 200,
        "left_out": 41,
        "labels": ROWS,
        "macro": AVERAGE,
        "weighted": AVERAGE,
    } | figures


def described(thresholds=ALWAYS, evaluations=()):
    found = pages.described()
    head = {**found["head"], "problem_type": SINGLE_LABEL, "thresholds": thresholds}
    return {**found, "head": head, "text": None, "evaluations": list(evaluations), "data": DATA}


def rendered(*given):
    return card.render(recipes.load(DEFAULT), described(*given)).replace("\u00a0", " ")


def test_the_card_says_how_to_read_one_label():
    text = rendered()
    for words in (
        "It is single-label: the probabilities of a text add up to 1",
        "`predictions` has one label a text, the one with the highest probability (the first of equals).",
        "`single_label_classification`, for which the pipelines of transformers",
        "softmax to the logits: their scores are these probabilities, and the first\nis the decision.",
    ):
        assert words in text
    assert "says nothing" not in text
    assert "sigmoid" not in text


def test_the_card_says_when_the_graph_is_silent():
    text = rendered({**ALWAYS, "joy": 0.5})
    assert "(the first of equals); where that is below\nthe label's threshold, the graph says nothing" in text
    assert "where its score is at least the label's number in `thresholds.json`." in text


def test_what_was_measured_is_accuracy_first():
    evaluation = {"variant": "int8", **protocol("test")}
    text = rendered(ALWAYS, [evaluation])
    assert "`int8` on Own, test split, 200 texts with one label (41 others left out), thresholds" in text
    assert "thresholds as packaged:\naccuracy 0.625. The column of texts" in text
    assert "| `int8` | 24 MB | 0.625 | " in text
    assert (
        "**How good:** it gives the right label to **62.5 %** of the 200 test texts of Own. Accuracy is"
        in text
    )
    # No label has a threshold: none has the column.
    assert "| label | F1 | precision | recall | texts |\n" in text
    silent = {"variant": "int8", **protocol("test", answered=0.9, accuracy_answered=0.694)}
    assert "accuracy 0.625; 90.0 % of the texts are answered, and of these 69.4 % rightly. " in rendered(
        ALWAYS, [silent]
    )
    data = ModelCard(text, ignore_metadata_errors=False).data
    assert "single-label-classification" in data.tags
    assert "multi-label-classification" not in data.tags
    (accuracy,) = [result for result in data.eval_results if result.metric_type == "accuracy"]
    assert (accuracy.metric_value, accuracy.task_name) == (0.625, "Single-label text classification")


@pytest.mark.parametrize("silent", [False, True])
def test_the_report_has_one_decision_a_text(tmp_path, silent):
    pages.evaluate(tmp_path)
    content = json.loads((tmp_path / "evaluation.json").read_text())
    content["published"] = None
    always = {"always": protocol("test")} if silent else {}
    for row in content["variants"]:
        row["protocols"] = {"packaged": protocol("test"), **always, "dev": protocol("dev")}
    (tmp_path / "evaluation.json").write_text(json.dumps(content))
    given = {**ALWAYS, "joy": 0.5} if silent else ALWAYS
    page = report.render(described(given), pages.files(), tmp_path)
    assert "What is given is the label with the highest probability" in " ".join(page.split())
    assert "probability ≥ threshold" not in page
    assert "those with one label" in page
    assert page.count("<td>0.625</td>") == 2 * (3 if silent else 2)
    assert ('<th colspan="4" class="group">always</th>' in page) == silent
    assert ("<th>threshold</th>" in page) == silent
    assert ('<th rowspan="2">answered</th>' in page) == silent
    assert "another label in its place counts for both" in page
    assert "A text counts where it gets another label" in page


def test_the_bill_names_the_task():
    bill = json.loads(
        sbom.render(described(), pages.files() | {"onnx/model.onnx": {"sha256": "1" * 64, "size": 1}})
    )
    task = bill["metadata"]["component"]["modelCard"]["modelParameters"]["task"]
    assert task == "single-label text classification, 3 labels"
