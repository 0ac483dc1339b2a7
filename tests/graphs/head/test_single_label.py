"""Merging single-label heads: the softmax, one decision a text, and none below a threshold."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest
from onnx import version_converter
from scipy.special import softmax
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.neural_network import MLPClassifier

from core.contract import SINGLE_LABEL
from core.errors import HeadError
from graphs.edit import legal
from graphs.head import merge, subgraph
from graphs.head.files import SubgraphHead
from tests.support.factories import random_tokens
from tests.support.graphs import pooled, run, softmax_head
from tests.support.head_info import head_info

LABELS = ["joy", "anger", "neutral", "fear"]
ALWAYS = [0.0] * 4


def embedded(made):
    ids, mask = random_tokens(24, 7, made.info.vocabulary)
    return ids, mask, made.original(ids, mask).astype(np.float32)


def test_a_linear_softmax(any_encoder):
    made = softmax_head(LABELS, any_encoder.info.hidden, ALWAYS)
    ids, mask, embedding = embedded(any_encoder)
    model = pooled(any_encoder)
    assert merge.stacked(model, made) == 1
    legal.check(model)
    counts = Counter(node.op_type for node in model.graph)
    assert [counts[name] for name in ("Sigmoid", "ArgMax", "And", "GreaterOrEqual")] == [0, 1, 1, 1]
    logits, probabilities, predictions = run(model, ids, mask, ["logits", "probabilities", "predictions"])
    expected = embedding.astype(np.float64) @ made.weight_hl + made.bias_l
    np.testing.assert_allclose(logits, expected, atol=3e-5)
    np.testing.assert_allclose(probabilities, softmax(expected, axis=1), atol=1e-5)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(predictions, np.eye(4, dtype=bool)[expected.argmax(axis=1)])
    assert len(set(expected.argmax(axis=1).tolist())) > 1


def test_nothing_is_said_below_the_winners_own_threshold(any_encoder):
    ids, mask, embedding = embedded(any_encoder)
    made = softmax_head(LABELS, any_encoder.info.hidden, ALWAYS)
    expected = softmax(embedding.astype(np.float64) @ made.weight_hl + made.bias_l, axis=1)
    winner, highest = expected.argmax(axis=1), expected.max(axis=1)
    floors = [0.0, float(np.median(highest)), 0.99, float(np.median(highest))]
    model = pooled(any_encoder)
    merge.stacked(model, softmax_head(LABELS, any_encoder.info.hidden, floors))
    (predictions,) = run(model, ids, mask, ["predictions"])
    kept = highest >= np.array(floors)[winner]
    assert 0 < kept.sum() < len(kept)
    np.testing.assert_array_equal(predictions, np.eye(4, dtype=bool)[winner] & kept[:, None])


def test_the_first_of_equals_wins_and_no_text_is_answered_with_no_row(any_encoder):
    made = softmax_head(LABELS, any_encoder.info.hidden, ALWAYS)
    same = replace(made, weight_hl=0 * made.weight_hl, bias_l=np.array([0, 2, 2, 0], np.float32))
    model = pooled(any_encoder)
    merge.stacked(model, same)
    ids, mask, _ = embedded(any_encoder)
    (predictions,) = run(model, ids, mask, ["predictions"])
    assert predictions.tolist() == [[False, True, False, False]] * len(ids)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_any_other_head_is_merged_as_it_is_columns_by_name(mean):
    hidden, random = mean.info.hidden, np.random.default_rng(3)
    x = random.standard_normal((200, hidden))
    y = np.array(LABELS)[(x @ random.standard_normal((hidden, 4))).argmax(axis=1)]
    network = MLPClassifier((5,), max_iter=150, random_state=0).fit(x, y)
    model = convert_sklearn(
        network,
        initial_types=[("x", FloatTensorType([None, hidden]))],
        options={"zipmap": False, "output_class_labels": False},
        target_opset={"": 18, "ai.onnx.ml": 3},
    )
    del model.graph.output[0]
    model = version_converter.convert_version(model, 18)
    assert [value.name for value in model.graph.output] == ["probabilities"]
    info = replace(
        head_info(LABELS, dict.fromkeys(LABELS, 0.0), order=network.classes_.tolist()),
        kind="subgraph",
        problem_type=SINGLE_LABEL,
        layout="columns",
        output="probabilities",
    )
    merged = pooled(mean)
    subgraph.stacked(merged, SubgraphHead(info, ir.from_proto(model)))
    legal.check(merged)
    ids, mask, embedding = embedded(mean)
    logits, probabilities, predictions = run(merged, ids, mask, ["logits", "probabilities", "predictions"])
    theirs = network.predict_proba(embedding.astype(np.float64))
    columns = [network.classes_.tolist().index(label) for label in LABELS]
    np.testing.assert_allclose(probabilities, theirs[:, columns], atol=1e-5)
    np.testing.assert_allclose(softmax(logits, axis=1), theirs[:, columns], atol=1e-5)
    named = np.array(LABELS)[predictions.argmax(axis=1)]
    assert named.tolist() == network.predict(embedding.astype(np.float64)).tolist()
    assert (predictions.sum(axis=1) == 1).all()


def test_one_output_a_label_is_refused():
    info = softmax_head(LABELS, 8, ALWAYS).info
    info.check_contract("stacked")
    with pytest.raises(HeadError, match=r"found 'per-label', expected 'stacked': a single-label head"):
        info.check_contract("per-label")
