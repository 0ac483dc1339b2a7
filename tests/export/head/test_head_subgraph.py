"""Heads that are something else: they stay the graphs they are, and say why."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier

from export.head import published_head
from tests.support.factories import write_head as write_published
from tests.support.heads import (
    LABELS,
    SHUFFLED,
    WIDTH,
    answers,
    converted,
    data,
    named,
    one_a_label,
    probes,
    read_head,
    write_head,
)

SIZES = {RandomForestClassifier: {"n_estimators": 4}}


@pytest.mark.parametrize("opsets", [{"": 18, "ai.onnx.ml": 3}, {"": 15, "ai.onnx.ml": 3}])
@pytest.mark.parametrize(
    "make", [DecisionTreeClassifier, lambda **more: RandomForestClassifier(4, **more)], ids=["tree", "forest"]
)
def test_trees_stay_a_graph(tmp_path, opsets, make):
    estimators = one_a_label(lambda: make(max_depth=3, random_state=0).set_params(**SIZES.get(make, {})))
    model = named({label: estimators[label] for label in SHUFFLED}, WIDTH, opsets=opsets)
    found = read_head(write_head(tmp_path, model, LABELS), LABELS, WIDTH)
    assert (found.info.kind, found.info.layout) == ("subgraph", "named")
    assert found.info.reason == "TreeEnsembleClassifier is not an affine map"
    assert found.weight_hl is found.bias_l is found.info.fold_error is None
    assert {item.domain: item.version for item in found.subgraph.opset_import}[""] == 18
    session = onnxruntime.InferenceSession(found.subgraph.SerializeToString())
    pairs = session.run(LABELS, {"logits": probes()})
    expected = answers(estimators, probes())
    np.testing.assert_allclose(np.stack([pair[:, 1] for pair in pairs], axis=1), expected, atol=1e-6)
    np.testing.assert_allclose(found.run(probes())[1], expected, atol=1e-6)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("activation", "operator"), [("relu", "Relu"), ("tanh", "Tanh"), ("logistic", "MatMul")]
)
def test_two_layers_stay_a_graph(tmp_path, activation, operator):
    x, truth = data(WIDTH, len(LABELS))
    estimator = MLPClassifier((6,), activation=activation, max_iter=30, random_state=0).fit(x, truth)
    found = read_head(write_head(tmp_path, converted(estimator, WIDTH), LABELS), LABELS, WIDTH)
    assert (found.info.kind, found.info.layout) == ("subgraph", "columns")
    assert found.info.reason.startswith(f"{operator} ")
    np.testing.assert_allclose(found.run(probes())[1], estimator.predict_proba(probes()), atol=1e-6)


def test_a_wrong_fold_is_never_used(tmp_path, monkeypatch):
    right = published_head.fold

    def wrong(*args, **more):
        weight, bias = right(*args, **more)
        weight[2, 1] += 1e-3
        return weight, bias

    write_published(tmp_path, LABELS, WIDTH)
    assert read_head(tmp_path, LABELS, WIDTH).info.kind == "linear"
    monkeypatch.setattr(published_head, "fold", wrong)
    found = read_head(tmp_path, LABELS, WIDTH)
    assert (found.info.kind, found.weight_hl, found.info.fold_error) == ("subgraph", None, None)
    assert found.info.reason.startswith("the fold is off by ")
