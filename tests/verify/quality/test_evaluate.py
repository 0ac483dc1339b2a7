"""Metrics against scikit-learn, and the split's answers against single texts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from core import dataset
from core.artifact import tokens
from core.artifact.graph import Graph
from verify.quality import metrics


@given(st.integers(1, 40), st.integers(1, 6), st.integers(0, 2**32 - 1), st.floats(0, 1), st.floats(0, 1))
def test_metrics_are_scikit_learns(texts, labels, seed, share_true, share_said):
    random = np.random.default_rng(seed)
    truth = random.random((texts, labels)) < share_true
    said = random.random((texts, labels)) < share_said
    found = metrics.metrics(truth, said)
    # A column of its own each: with one label, scikit-learn would take the matrix for binary.
    columns = [
        precision_recall_fscore_support(truth[:, i], said[:, i], average="binary", zero_division=0)[:3]
        for i in range(labels)
    ]
    expected = np.array(columns).T
    for mine, theirs in zip((found.precision, found.recall, found.f1), expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-12)
    support = truth.sum(axis=0)
    np.testing.assert_array_equal(found.support, support)
    np.testing.assert_allclose(found.average(False), expected.mean(axis=1), atol=1e-12)
    if support.sum():
        weighted = (expected * support).sum(axis=1) / support.sum()
        np.testing.assert_allclose(found.average(True), weighted, atol=1e-12)


def test_rows_carry_label_and_threshold():
    truth = np.array([[True, False], [True, True]])
    rows = metrics.as_rows(["a", "b"], {"a": 0.1, "b": 0.2}, metrics.metrics(truth, truth))
    assert rows[1] == {
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


def test_the_default_reaches_its_macro_f1_on_test(artifact, go_emotions, tmp_path):
    split = dataset.read("test", tmp_path)
    ids = tokens.encode(artifact / "tokenizer.json", split.texts)
    graph = Graph(artifact / "onnx/model.onnx")
    answers = graph.run_sorted(ids, 32)
    found = metrics.metrics(metrics.truth_of(graph.labels, split.labels), answers.predictions)
    assert found.support[graph.labels.index("admiration")] == 504
    assert found.average(weighted=False)[2] >= 0.465
    assert found.average(weighted=True)[2] == pytest.approx(0.564, abs=0.005)
