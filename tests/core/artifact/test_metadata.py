"""What is written into a graph's metadata is what is read back, on exact values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.artifact.metadata import Metadata
from core.build.facts import EncoderInfo
from core.errors import ArtifactError
from tests.support.head_info import head_info

FILE = Path("model.onnx")
LABELS = ["admiration", "joie de vivre é", '"quoted"']
THRESHOLDS = {"admiration": 0.1, "joie de vivre é": 1 / 3, '"quoted"': 5e-324}
METADATA = Metadata(
    labels=LABELS,
    thresholds=THRESHOLDS,
    problem_type="multi_label_classification",
    pooling="mean",
    normalize=True,
    features=[(0, "mean"), (6, "max")],
    max_length=512,
    recipe="tiny",
    encoder_sha256="e" * 64,
    head_sha256="d" * 64,
    quantization="none",
    toolchain_version="0.1.0",
    onnxruntime="1.17",
)
PROPERTIES = {
    "labels": '["admiration", "joie de vivre é", "\\"quoted\\""]',
    "thresholds": '{"admiration": 0.1, "joie de vivre é": 0.3333333333333333, "\\"quoted\\"": 5e-324}',
    "problem_type": "multi_label_classification",
    "pooling": "mean",
    "normalize": "true",
    "features": '[[0, "mean"], [6, "max"]]',
    "max_length": "512",
    "recipe": "tiny",
    "encoder_sha256": "e" * 64,
    "head_sha256": "d" * 64,
    "quantization": "none",
    "toolchain_version": "0.1.0",
    "onnxruntime": "1.17",
}


def test_the_properties_are_these_very_strings_in_this_order():
    assert list(METADATA.to_properties().items()) == list(PROPERTIES.items())


def test_what_is_written_is_read_back():
    assert Metadata.read(FILE, PROPERTIES) == METADATA
    assert Metadata.read(FILE, PROPERTIES | {"more": "x"}) == METADATA
    assert list(Metadata.read(FILE, PROPERTIES).thresholds) == LABELS


def test_it_is_made_of_what_the_exporter_knows():
    encoder = EncoderInfo(
        source="path:x",
        revision=None,
        sha256={"model.safetensors": "e" * 64},
        layers=6,
        heads=2,
        hidden=8,
        positions=512,
        vocabulary=9,
        pooling="mean",
        normalize=True,
        max_length=512,
        feature_parts=[(0, "mean"), (6, "max")],
    )
    head = head_info(LABELS, THRESHOLDS, order=LABELS[::-1], sha256="d" * 64)
    assert Metadata.of("tiny", encoder, head, "none", onnxruntime="1.17") == METADATA


GUARD = {
    "margins": {"admiration": 0.1, "joie de vivre é": 1 / 3, '"quoted"': 0},
    "max_flip_rate": 0.0005,
    "bound": "of 5000 texts at most 2 – at 95% confidence",
}


def test_a_guarded_graph_says_what_it_answers_again():
    properties = METADATA._replace(guard=GUARD).to_properties()
    assert json.loads(properties["guard"]) == GUARD
    assert Metadata.read(FILE, properties).guard == GUARD
    assert Metadata.read(FILE, PROPERTIES).guard is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"margins": {"joy": 0.1}}, "guard: margins: expected one a label: admiration, "),
        ({"margins": [0.1] * 3}, "guard: margins: expected one a label"),
        ({"margins": {**GUARD["margins"], "admiration": -1}}, "guard: expected margins from 0 on"),
        ({"margins": {**GUARD["margins"], "admiration": "0"}}, "guard: expected margins from 0 on"),
        ({"max_flip_rate": 1}, "guard: .* a max_flip_rate from 0 to below 1"),
        ({"bound": 1}, "guard: expected margins, max_flip_rate, bound"),
        ({"more": 1}, "guard: expected margins, max_flip_rate, bound"),
    ],
)
def test_what_is_no_guard_is_refused(change, said):
    with pytest.raises(ArtifactError, match=f"model.onnx: metadata: {said}"):
        Metadata.read(FILE, PROPERTIES | {"guard": json.dumps(GUARD | change)})


def test_each_property_must_be_there():
    for key in PROPERTIES.keys() - {"onnxruntime"}:
        rest = {name: text for name, text in PROPERTIES.items() if name != key}
        with pytest.raises(ArtifactError, match=f"model.onnx: metadata lacks {key}$"):
            Metadata.read(FILE, rest)


def test_a_graph_of_before_it_was_stated_is_read_and_written_as_it_is():
    old = {key: text for key, text in PROPERTIES.items() if key != "onnxruntime"}
    assert Metadata.read(FILE, old) == METADATA._replace(onnxruntime="")
    assert list(Metadata.read(FILE, old).to_properties().items()) == list(old.items())


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("labels", "x", "metadata labels: cannot be read as JSON"),
        ("labels", "[]", "expected a list of names"),
        ("labels", '{"joy": 1}', "expected a list of names"),
        ("labels", '["joy", 1]', "expected a list of names"),
        ("labels", '["joy", "joy"]', "'joy' is a duplicate"),
        ("thresholds", '{"joy": 0.5}', "expected one a label"),
        ("thresholds", "[0.5]", "expected one a label"),
        ("thresholds", PROPERTIES["thresholds"].replace("0.1", "1"), "'admiration': found 1, expected"),
        ("thresholds", PROPERTIES["thresholds"].replace("0.1", "true"), "'admiration': found True, expected"),
        ("normalize", "True", "normalize found 'True'"),
        ("features", "0", "expected pairs of layer and pooling"),
        ("features", '[[0, "mean", 1]]', "expected pairs of layer and pooling"),
        ("features", '[[true, "mean"]]', "expected pairs of layer and pooling"),
        ("max_length", "x", "max_length found 'x'"),
        ("max_length", "0", "max_length found '0'"),
        ("max_length", "-1", "max_length found '-1'"),
        ("onnxruntime", "", "onnxruntime found ''"),
        ("onnxruntime", "1.17\n", "onnxruntime found"),
    ],
)
def test_what_is_not_of_the_contract_is_refused(key, text, said):
    with pytest.raises(ArtifactError, match=said):
        Metadata.read(FILE, PROPERTIES | {key: text})
