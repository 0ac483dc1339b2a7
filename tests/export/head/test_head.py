"""Heads that fold, and that what is read says what scikit-learn says."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from core.build.facts import HeadInfo
from export.head import published_head, writer
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
    sigmoid,
    write_head,
)

TENSORS = pytest.mark.parametrize("tensor", [FloatTensorType, DoubleTensorType])


def assert_linear(found, expected):
    assert found.info.kind == "linear", found.info.reason
    assert found.info.labels == LABELS
    assert found.subgraph is None
    assert (found.weight_hl.dtype, found.bias_l.dtype) == (np.float32, np.float32)
    assert 0 <= found.info.fold_error <= 1e-6
    x = probes()
    np.testing.assert_allclose(sigmoid(x @ found.weight_hl + found.bias_l), expected(x), atol=1e-6)
    negative, positive = found.run(x)
    np.testing.assert_allclose(positive, expected(x), atol=1e-6)
    np.testing.assert_allclose(negative, 1 - expected(x), atol=1e-6)


def test_the_published_format_through_our_own_writer(tmp_path):
    estimators = one_a_label(LogisticRegression)
    model = writer.head_model(SHUFFLED, [estimators[label] for label in SHUFFLED])
    found = read_head(write_head(tmp_path, model, LABELS), LABELS, WIDTH)
    assert_linear(found, lambda x: answers(estimators, x))
    assert (found.info.layout, found.info.output) == ("named", None)
    assert found.info.output_order == SHUFFLED


SCALED = [
    lambda: LogisticRegression(C=10),
    lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    lambda: make_pipeline(StandardScaler(with_mean=False), LogisticRegression()),
    lambda: LogisticRegression(fit_intercept=False),
]


@TENSORS
@pytest.mark.parametrize("make", SCALED, ids=["plain", "scaled", "scaled without mean", "without intercept"])
def test_one_regression_a_label_folds(tmp_path, tensor, make):
    estimators = one_a_label(make)
    model = named({label: estimators[label] for label in SHUFFLED}, WIDTH, tensor)
    found = read_head(write_head(tmp_path, model, LABELS), LABELS, WIDTH)
    assert_linear(found, lambda x: answers(estimators, x))
    assert found.info.output_order == SHUFFLED


OPSETS = pytest.mark.parametrize("opsets", [{"": 18, "ai.onnx.ml": 3}, {"": 12, "ai.onnx.ml": 1}])


@TENSORS
@OPSETS
@pytest.mark.parametrize("scale", [False, True])
def test_one_against_the_rest_folds(tmp_path, tensor, scale, opsets):
    x, truth = data(WIDTH, len(LABELS))
    regressions = OneVsRestClassifier(LogisticRegression())
    estimator = (make_pipeline(StandardScaler(), regressions) if scale else regressions).fit(x, truth)
    model = converted(estimator, WIDTH, tensor, opsets)
    found = read_head(write_head(tmp_path, model, LABELS), LABELS, WIDTH)
    assert_linear(found, estimator.predict_proba)
    assert (found.info.layout, found.info.output) == ("columns", "probabilities")
    assert found.info.output_order == LABELS


@TENSORS
@OPSETS
def test_a_sequence_of_regressions_folds(tmp_path, tensor, opsets):
    x, truth = data(WIDTH, len(LABELS))
    estimator = MultiOutputClassifier(LogisticRegression()).fit(x, truth)
    model = converted(estimator, WIDTH, tensor, opsets)
    found = read_head(write_head(tmp_path, model, LABELS), LABELS, WIDTH)
    assert_linear(found, lambda x: np.stack([pair[:, 1] for pair in estimator.predict_proba(x)], axis=1))
    assert (found.info.layout, found.info.output) == ("sequence", "probabilities")


def test_what_is_written_is_read_back(tmp_path):
    write_published(tmp_path / "head", LABELS, WIDTH, shuffled=True)
    found = read_head(tmp_path / "head", LABELS, WIDTH)
    published_head.write(found, tmp_path / "build")
    assert HeadInfo.read(tmp_path / "build" / "head.json") == found.info
    assert not (tmp_path / "build" / "head.onnx").exists()
    with np.load(tmp_path / "build" / "head.npz", allow_pickle=False) as arrays:
        assert sorted(arrays) == ["bias_l", "weight_hl"]
        np.testing.assert_array_equal(arrays["weight_hl"], found.weight_hl)
        np.testing.assert_array_equal(arrays["bias_l"], found.bias_l)
    published_bytes = (tmp_path / "head" / "model.onnx").read_bytes()
    assert found.info.model_sha256 == hashlib.sha256(published_bytes).hexdigest()
    stated = json.loads((tmp_path / "head" / "thresholds.json").read_text())
    assert list(found.info.thresholds) == LABELS
    assert found.info.thresholds == stated
