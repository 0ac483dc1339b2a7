"""The original head as it is, and the proof of a fold: it must let the right one by and no other."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from core.errors import HeadError
from export.head import original, proof, writer
from export.head.layout import published
from tests.support.factories import fitted
from tests.support.heads import LABELS, WIDTH, probes, sigmoid


@pytest.fixture(scope="module")
def classifiers():
    return fitted(LABELS, WIDTH)


@pytest.fixture(scope="module")
def run(classifiers):
    model = writer.head_model(LABELS, classifiers)
    return original.OriginalHead("model.onnx", model, published(LABELS), LABELS)


@pytest.fixture
def right(classifiers):
    """The weights as scikit-learn has them, `[h, l]` and `[l]`."""
    weight = np.concatenate([found.coef_ for found in classifiers]).T.astype(np.float32)
    return weight, np.concatenate([found.intercept_ for found in classifiers]).astype(np.float32)


def test_answers_both_probabilities_of_every_label(run, classifiers):
    negative, positive = run(probes())
    pairs = np.stack([found.predict_proba(probes()) for found in classifiers], axis=1)
    assert positive.shape == (64, len(LABELS))
    np.testing.assert_allclose(negative, pairs[..., 0], atol=1e-6)
    np.testing.assert_allclose(positive, pairs[..., 1], atol=1e-6)


def test_outputs_come_in_the_order_asked_for(classifiers):
    model = writer.head_model(LABELS, classifiers)
    backwards = original.OriginalHead("model.onnx", model, published(LABELS), LABELS[::-1])
    pairs = np.stack([found.predict_proba(probes())[:, 1] for found in classifiers], axis=1)
    np.testing.assert_allclose(backwards(probes())[1], pairs[:, ::-1], atol=1e-6)


def test_the_right_fold_is_proven(run, right):
    assert proof.prove(run, *right) <= proof.FOLD_TOLERANCE


@pytest.mark.parametrize("column", range(len(LABELS)))
@pytest.mark.parametrize("row", [0, WIDTH - 1])
@pytest.mark.parametrize("change", [1e-3, -1e-3, 1e-4])
def test_a_perturbed_weight_is_caught(run, right, row, column, change):
    right[0][row, column] += change
    assert proof.prove(run, *right) > proof.FOLD_TOLERANCE


@pytest.mark.parametrize("column", range(len(LABELS)))
def test_a_perturbed_bias_is_caught(run, right, column):
    right[1][column] += 1e-3
    assert proof.prove(run, *right) > proof.FOLD_TOLERANCE


def test_labels_or_signs_mixed_up_are_caught(run, right):
    weight, bias = right
    for wrong in [(weight[:, ::-1], bias[::-1]), (-weight, -bias), (weight[::-1], bias), (weight, -bias)]:
        assert proof.prove(run, *wrong) > 1e-3


def test_a_head_that_clips_its_input_is_told_from_one_that_does_not(classifiers, right):
    """On embeddings of norm 1 it is the very same head: only the huge ones tell."""
    model = writer.head_model(LABELS, classifiers)
    model.graph.input[0].name = "raw"
    limits = [onnx.helper.make_tensor(name, 1, [], [value]) for name, value in (("lo", -1.0), ("hi", 1.0))]
    model.graph.initializer.extend(limits)
    model.graph.node.insert(0, onnx.helper.make_node("Clip", ["raw", "lo", "hi"], ["logits"]))
    clips = original.OriginalHead("model.onnx", model, published(LABELS), LABELS)
    np.testing.assert_allclose(clips(probes())[1], sigmoid(probes() @ right[0] + right[1]), atol=1e-6)
    assert proof.prove(clips, *right) > proof.FOLD_TOLERANCE


@pytest.mark.parametrize("features", [1, 7, 384])
def test_probes(features):
    found = proof.probes(features)
    norms = np.linalg.norm(found, axis=1)
    assert found.dtype == np.float32
    np.testing.assert_allclose(norms[:-1], 1, atol=1e-6)
    assert norms[-1] == 0
    assert np.linalg.matrix_rank(found) == features
    np.testing.assert_array_equal(found, proof.probes(features))


def test_embeddings_of_another_width(run):
    with pytest.raises(HeadError, match=r"^model\.onnx: fails on embeddings \(2, 9\)"):
        run(np.zeros((2, WIDTH + 1), np.float32))


def test_a_graph_that_onnxruntime_does_not_load():
    model = onnx.ModelProto()
    with pytest.raises(HeadError, match=r"^model\.onnx: onnxruntime does not load it"):
        original.OriginalHead("model.onnx", model, published(LABELS), LABELS)
