"""`model.onnx` in OpenVINO and in ONNX's reference evaluator, against the original pair's answers."""

from __future__ import annotations

import numpy as np
import pytest
from tokenizers import Tokenizer

from core.artifact.graph import Graph
from core.build import reference
from core.runtime import pad
from tests.support.snippets import run_python, snippet

pytestmark = pytest.mark.engines
MOST_ERROR = 1e-5
OUTPUTS = ("logits", "probabilities", "predictions")


@pytest.fixture(scope="module")
def model(artifact):
    return artifact / "onnx" / "model.onnx"


@pytest.fixture(scope="module")
def original(artifact):
    return reference.read(artifact / "reference.npz")


@pytest.fixture(scope="module")
def goemotions(artifact, go_emotions, model):
    """Token ids of 500 test texts and onnxruntime's answers to them."""
    rows = (go_emotions / "test.tsv").read_text("utf-8").split("\n")[:500]
    tokenizer = Tokenizer.from_file(str(artifact / "tokenizer.json"))
    ids = [encoding.ids for encoding in tokenizer.encode_batch([row.split("\t")[0] for row in rows])]
    return ids, Graph(model).run_sorted(ids, 32)


def compiled(path):
    """Open a graph in OpenVINO; return what runs token ids through it."""
    import openvino

    # Where a CPU has bfloat16, OpenVINO would take it.
    model = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(ids):
        input_ids, mask = pad(ids)
        found = model({"input_ids": input_ids, "attention_mask": mask})
        return [np.array(found[name]) for name in OUTPUTS]

    return run


@pytest.fixture(scope="module")
def openvino(model):
    return compiled(model)


@pytest.fixture(scope="module")
def evaluator(model):
    from onnx.reference import ReferenceEvaluator

    # Given the path: the evaluator reads the file as it is, all operators by their definition in numpy.
    made = ReferenceEvaluator(str(model))

    def run(ids):
        input_ids, mask = pad(ids)
        return made.run(list(OUTPUTS), {"input_ids": input_ids, "attention_mask": mask})

    return run


def answers(run, ids, size):
    """Run batches of texts of like length; probabilities and decisions in the texts' order."""
    order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
    probabilities, decisions = {}, {}
    for start in range(0, len(ids), size):
        batch = order[start : start + size]
        logits, found, decided = run([ids[index] for index in batch])
        np.testing.assert_allclose(1 / (1 + np.exp(-logits.astype(float))), found, rtol=0, atol=1e-6)
        probabilities.update(zip(batch, found, strict=True))
        decisions.update(zip(batch, decided, strict=True))
    listed = range(len(ids))
    return np.stack([probabilities[i] for i in listed]), np.stack([decisions[i] for i in listed])


def check(name, found, expected, limits, record_property):
    probabilities, decisions = found
    error = float(abs(probabilities.astype(float) - expected).max())
    record_property(name, error)
    print(f"\n{name}: {len(expected)} texts, largest probability error {error:.1e}")
    assert error <= MOST_ERROR
    # A decision may differ only where the probability is at its threshold.
    clear = abs(expected - limits) > MOST_ERROR
    np.testing.assert_array_equal(decisions[clear], (expected >= limits)[clear])


@pytest.fixture(scope="module")
def limits(original):
    return np.array([original.thresholds[label] for label in original.labels], np.float32)


@pytest.mark.parametrize("size", [1, 32])
def test_openvino_against_the_original(openvino, original, limits, size, record_property):
    found = answers(openvino, original.ids, size)
    check(f"OpenVINO, batches of {size}", found, original.probabilities, limits, record_property)


def test_openvino_on_500_goemotions_texts(openvino, goemotions, limits, record_property):
    ids, expected = goemotions
    check("OpenVINO, GoEmotions", answers(openvino, ids, 32), expected.probabilities, limits, record_property)


def test_openvino_in_natural_order_with_padding(openvino, goemotions):
    ids, expected = goemotions
    _, found, _ = openvino(ids[:64])
    np.testing.assert_allclose(found, expected.probabilities[:64], rtol=0, atol=MOST_ERROR)


def test_the_reference_evaluator_against_the_original(evaluator, original, limits, record_property):
    found = answers(evaluator, original.ids, 8)
    check("reference evaluator", found, original.probabilities, limits, record_property)


def test_the_reference_evaluator_on_500_goemotions_texts(evaluator, goemotions, limits, record_property):
    ids, expected = goemotions
    found = answers(evaluator, ids, 32)
    check("reference evaluator, GoEmotions", found, expected.probabilities, limits, record_property)


def test_the_documents_program_runs_as_it_stands(artifact):
    program = snippet("## OpenVINO", "python", "docs/runtimes.md")
    assert "love" in run_python(program, artifact)[0]


@pytest.fixture(scope="module")
def package(artifact):
    """What `make package FORMAT=openvino` wrote before these tests."""
    return artifact.with_name(f"{artifact.name}-openvino")


def test_openvino_knows_not_all_of_the_int8_graph(artifact):
    """Why there is a package for it: once this fails, there need not be one."""
    with pytest.raises(RuntimeError, match=r"com\.microsoft\.QAttention"):
        compiled(artifact / "onnx" / "model_quantized.onnx")


def test_the_packages_program_runs_as_it_stands(artifact, package):
    program = snippet(f"# {artifact.name} for OpenVINO", "python", str(package / "README.md"))
    assert "love" in run_python(program, package)[0]


def test_openvino_decides_as_onnxruntime_with_int8(artifact, package, goemotions):
    """It knows the graph's int8 products; a rounding step that falls otherwise may turn a decision."""
    ids, _ = goemotions
    expected = Graph(artifact / "onnx" / "model_quantized.onnx").run_sorted(ids, 32)
    probabilities, decisions = answers(compiled(package / "model.onnx"), ids, 32)
    other = int((decisions != expected.predictions).any(axis=1).sum())
    error = float(abs(probabilities - expected.probabilities).max())
    print(f"\nOpenVINO, int8: {other} of {len(ids)} texts decided otherwise, largest difference {error:.1e}")
    assert other <= 0.02 * len(ids)


def test_the_reference_evaluator_knows_none_of_onnxruntimes_own_operators(artifact):
    """So that what it says of `model.onnx` is said of standard operators alone."""
    from onnx.reference import ReferenceEvaluator

    with pytest.raises(NotImplementedError, match=r"com\.microsoft"):
        ReferenceEvaluator(str(artifact / "onnx" / "model_quantized.onnx"))
