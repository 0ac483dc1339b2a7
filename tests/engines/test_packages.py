"""What `make package` writes for other engines: int8 in QDQ form in three engines, float16 in two."""

from __future__ import annotations

import numpy as np
import pytest

from core.artifact.graph import Graph
from core.build import reference
from core.runtime import pad
from tests.support.snippets import run_python, snippet

pytestmark = pytest.mark.engines
INPUTS = ("input_ids", "attention_mask")


@pytest.fixture(scope="module")
def original(artifact):
    return reference.read(artifact / "reference.npz")


def package(artifact, name):
    """What `make package FORMAT=…` wrote before these tests."""
    return artifact.with_name(f"{artifact.name}-{name}")


def in_openvino(path):
    import openvino

    model = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda feeds: model(feeds)["probabilities"]


def in_tract(path):
    import tract

    model = tract.onnx().load(str(path))
    place = [model.output_name(at) for at in range(model.output_count())].index("probabilities")
    runnable = model.into_model().into_runnable()
    return lambda feeds: runnable.run([feeds[name] for name in INPUTS])[place].to_numpy()


def in_the_evaluator(path):
    import onnx
    from onnx import version_converter
    from onnx.reference import ReferenceEvaluator

    # It has `DequantizeLinear` from version 19 of the operators on.
    made = ReferenceEvaluator(version_converter.convert_version(onnx.load(path), 19))
    return lambda feeds: made.run(["probabilities"], feeds)[0]


ENGINES = {"OpenVINO": in_openvino, "tract": in_tract, "ONNX's reference evaluator": in_the_evaluator}


def decided(run, ids, limits, size):
    """The decisions on texts in batches of like length, and the probabilities, in the texts' order."""
    order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
    found = np.empty((len(ids), len(limits)), np.float32)
    for start in range(0, len(ids), size):
        batch = order[start : start + size]
        input_ids, mask = pad([ids[index] for index in batch])
        found[batch] = run(dict(zip(INPUTS, (input_ids, mask), strict=True)))
    return found >= limits, found


def compare(title, run, original, most, record_property, size=8):
    limits = np.array([original.thresholds[label] for label in original.labels], np.float32)
    decisions, found = decided(run, original.ids, limits, size)
    flips = int((decisions != original.decisions).any(axis=1).sum())
    error = float(abs(found - original.probabilities).max())
    record_property(title, flips)
    print(f"\n{title}: {flips} of {len(decisions)} texts decided otherwise than by the original, {error:.1e}")
    assert flips <= most * len(decisions)
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_int8_in_qdq_form(artifact, original, engine, record_property):
    run = ENGINES[engine](package(artifact, "qdq") / "model.onnx")
    found = compare(f"{engine}, QDQ", run, original, 0.035, record_property)
    expected = Graph(artifact / "onnx/model_quantized.onnx").run_batches(original.ids, 8).probabilities
    # A rounding that falls otherwise moves few texts, and those little.
    assert np.quantile(abs(found - expected).max(axis=1), 0.5) <= 0.01


def test_float16(artifact, original, record_property):
    """In OpenVINO alone: the reference evaluator's float16 is numpy's, which has no fast products of it."""
    run = ENGINES["OpenVINO"](package(artifact, "webgpu") / "onnx/model_fp16.onnx")
    found = compare("OpenVINO, float16", run, original, 0.01, record_property)
    assert abs(found - original.probabilities).max() <= 0.01


def test_tract_knows_no_layout_without_padding(artifact):
    """Why batches come as they are in the package: once this fails, they need not."""
    with pytest.raises(Exception, match="layout_"):
        in_tract(artifact / "onnx/model.onnx")


@pytest.mark.parametrize("engine", ["openvino", "tract"])
def test_the_programs_run_as_they_stand(artifact, engine):
    folder = package(artifact, "qdq")
    page = (folder / "README.md").read_text("utf-8")
    programs = [part.split("\n```")[0] for part in page.split("```python\n")[1:]]
    (program,) = [part for part in programs if f"import json, numpy as np, {engine}" in part]
    assert "love" in run_python(program, folder)[0]


@pytest.mark.parametrize(
    ("name", "title"), [("ort", "in onnxruntime's own format"), ("search", "with token types")]
)
def test_the_program_in_onnxruntime_runs_as_it_stands(artifact, name, title):
    folder = package(artifact, name)
    program = snippet(f"# {artifact.name} {title}", "python", str(folder / "README.md"))
    assert "love" in run_python(program, folder)[0]
