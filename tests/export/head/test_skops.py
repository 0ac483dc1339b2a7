"""Heads in skops: read where all of their types are safe, by the classes that scikit-learn has."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC
from skops import io as skops_io

from core.errors import HeadError
from core.untrusted import limits
from core.untrusted.limited import process
from tests.support import limited
from tests.support.heads import WIDTH, read_head
from tests.support.shapes import COUNTED, SORTED, by_label, multi, of_the_build, rows, single, truth

X = rows(seed=7, count=80)


@pytest.fixture(autouse=True)
def _no_process_a_head(monkeypatch):
    monkeypatch.setattr(process, "start", limited.in_a_thread)


def write_skops(folder, content):
    folder.mkdir(exist_ok=True)
    (folder / "head.skops").write_bytes(content if isinstance(content, bytes) else skops_io.dumps(content))
    (folder / "thresholds.json").write_text(json.dumps(dict.fromkeys(COUNTED, 0.5)))
    return folder


@pytest.mark.parametrize(
    "kind", ["LogisticRegression", "PCA", "SGD", "Calibrated", "MLP", "OneVsRest", "SVC", "naive Bayes"]
)
@pytest.mark.parametrize("labels", [SORTED, COUNTED])
def test_a_classifier_over_names(tmp_path, kind, labels):
    estimator = single(kind, "names")
    found = read_head(write_skops(tmp_path, estimator), labels, WIDTH)
    expected = by_label(estimator, labels, X)
    np.testing.assert_allclose(found.run(X)[1], expected, atol=2e-6)
    np.testing.assert_allclose(of_the_build(found, labels, X), expected, atol=2e-6)
    assert (found.info.columns_from, set(found.info.sha256)) == ("names", {"head.skops", "thresholds.json"})


@pytest.mark.parametrize("kind", ["OneVsRest", "MultiOutput"])
def test_columns_of_0_and_1(tmp_path, kind):
    estimator = multi(kind)
    found = read_head(write_skops(tmp_path, estimator), COUNTED, WIDTH)
    np.testing.assert_allclose(of_the_build(found, COUNTED, X), by_label(estimator, COUNTED, X), atol=2e-6)
    with pytest.raises(HeadError, match=r"head\.skops: holds no names of labels, and thresholds\.json"):
        read_head(tmp_path, SORTED, WIDTH)


def test_a_classifier_that_skl2onnx_makes_another_of(tmp_path):
    y = np.array(COUNTED)[truth()]
    estimator = CalibratedClassifierCV(LinearSVC(), method="isotonic", cv=2).fit(rows(), y)
    with pytest.raises(HeadError, match=r"head\.skops: skl2onnx converts it into something else: off by \d"):
        read_head(write_skops(tmp_path, estimator), SORTED, WIDTH)


def zipped(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_what_is_not_known_to_be_safe_is_refused(tmp_path):
    with pytest.raises(
        HeadError, match=r"head\.skops: refused: holds a sklearn\.tree\._tree\.Tree, which is not"
    ):
        read_head(write_skops(tmp_path, single("forest", "names")), SORTED, WIDTH)
    unsafe = make_pipeline(FunctionTransformer(write_skops), single("LogisticRegression", "names"))
    with pytest.raises(HeadError, match=r"head\.skops: refused: holds a .*write_skops, which is not known"):
        read_head(write_skops(tmp_path, unsafe), SORTED, WIDTH)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a plain zip"),
        (b"PK\x03\x04 and more", "not a plain zip"),
        (zipped({"a": "b"}), "cannot be read as a classifier"),
        (zipped({"schema.json": "{}"}), "cannot be read as a classifier"),
        (zipped({"schema.json": '{"a":' * 3000 + "1" + "}" * 3000}), "cannot be read as a classifier"),
    ],
)
def test_a_damaged_one(tmp_path, content, message):
    with pytest.raises(HeadError, match=rf"head\.skops: .*{message}"):
        read_head(write_skops(tmp_path, content), SORTED, WIDTH)


def test_one_that_unpacks_to_more_than_a_head_has(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "HEAD_BYTES", 1000_000)
    with pytest.raises(HeadError, match="unpacks to 2,000,000 bytes, expected at most 1,000,000"):
        read_head(write_skops(tmp_path, zipped({"schema.json": " " * 2_000_000})), SORTED, WIDTH)


def test_scores_and_another_width(tmp_path):
    scores = LinearSVC().fit(rows(), np.array(COUNTED)[truth()])
    with pytest.raises(
        HeadError, match="found a LinearSVC, which has no probabilities; wrap it in Calibrated"
    ):
        read_head(write_skops(tmp_path, scores), SORTED, WIDTH)
    with pytest.raises(HeadError, match=r"input logits: found shape .*8\], expected \[N, 384\]"):
        read_head(write_skops(tmp_path, single("LogisticRegression", "names")), SORTED, 384)
