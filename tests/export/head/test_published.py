"""The published head format, as this project writes it."""

from __future__ import annotations

import json

import numpy as np
import onnx
import onnxruntime
import pytest

from core.disk.files import write_json
from export.head import writer
from tests.support.factories import fitted
from tests.support.heads import WIDTH, probes

LABELS = ["joy", "très content", "a/b", "neutral"]


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [2, 0, 3, 1]])
def test_one_pair_a_label_in_the_order_given(order):
    classifiers = fitted(LABELS, WIDTH)
    names = [LABELS[i] for i in order]
    model = writer.head_model(names, [classifiers[i] for i in order])
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    inputs, outputs = session.get_inputs(), session.get_outputs()
    assert [(value.name, value.type, value.shape) for value in inputs] == [
        ("logits", "tensor(float)", ["N", WIDTH])
    ]
    assert [(value.name, value.type, value.shape) for value in outputs] == [
        (name, "tensor(float)", ["N", 2]) for name in names
    ]
    for label, classifier in zip(LABELS, classifiers, strict=True):
        found = session.run([label], {"logits": probes()})[0]
        np.testing.assert_allclose(found, classifier.predict_proba(probes()), atol=1e-6)


def test_opsets():
    model = writer.head_model(["joy"], fitted(["joy"], WIDTH))
    assert {item.domain: item.version for item in model.opset_import} == {"": 18, "ai.onnx.ml": 3}
    assert model.ir_version == 8


def test_two_calls_write_the_same_bytes():
    first, second = (writer.head_model(LABELS, fitted(LABELS, WIDTH)) for _ in range(2))
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(deterministic=True)


def test_one_classifier_too_few():
    with pytest.raises(ValueError, match="zip"):
        writer.head_model(LABELS, fitted(LABELS[:3], WIDTH))


def test_thresholds_are_read_back_exactly(tmp_path):
    stated = {"zeta": 0.1 + 0.2, "très content": 1 / 3, "alpha": 0.05}
    write_json(tmp_path / "thresholds.json", stated)
    text = (tmp_path / "thresholds.json").read_text("utf-8")
    assert list(json.loads(text).items()) == list(stated.items())
    assert "très content" in text
    assert text.endswith("}\n")
