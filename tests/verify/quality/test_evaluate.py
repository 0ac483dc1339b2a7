"""Rows of figures, and the split's answers against single texts."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from core import decisions
from core.artifact import tokens
from core.artifact.graph import Graph
from core.thresholds import Scored
from tests.support.recipes import go_emotions as go_emotions_data
from verify.quality.evaluate import figures


def test_rows_carry_label_and_threshold():
    truth = np.array([[True, False], [True, True]])
    scored = Scored(["a", "b"], truth, truth.astype(np.float32))
    assert figures(scored, np.array([0.1, 0.2]))["labels"][1] == {
        "label": "b",
        "threshold": 0.2,
        "precision": 1.0,
        "recall": 1.0,
        "f1": 1.0,
        "support": 1,
    }


def test_sorted_batches_answer_in_the_texts_order(artifact):
    graph = Graph(artifact / "onnx/model.onnx")
    texts = ["I love this very much indeed, thank you!", "No.", "", "Why would you ever do that to me?", "ok"]
    ids = tokens.encode(artifact / "tokenizer.json", texts)
    together = graph.run_sorted(ids, 2)
    for index, row in enumerate(ids):
        alone = graph.run([row])
        np.testing.assert_allclose(together.probabilities[index], alone.probabilities[0], atol=1e-6)
        np.testing.assert_array_equal(together.predictions[index], alone.predictions[0])


@pytest.mark.slow
def test_the_default_reaches_its_macro_f1_on_test(artifact, go_emotions, tmp_path):
    split = go_emotions_data(tmp_path).read("test")
    ids = tokens.encode(artifact / "tokenizer.json", split.texts)
    graph = Graph(artifact / "onnx/model.onnx")
    answers = graph.run_sorted(ids, 32)
    truth = decisions.truth_of(graph.labels, split.labels)
    counts = decisions.count(truth, answers.predictions)
    assert counts.support[graph.labels.index("admiration")] == 504
    averages = counts.averages()
    for kind, least in (("macro", 0.465), ("weighted", 0.559)):
        expected = f1_score(truth, answers.predictions, average=kind, zero_division=0)
        assert averages[kind]["f1"] == pytest.approx(expected, abs=1e-12)
        assert expected >= least
