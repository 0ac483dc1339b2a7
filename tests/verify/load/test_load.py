"""Graphs under load and odd input: the default holds, and what is wrong is found."""

from __future__ import annotations

import argparse

import numpy as np
import onnx
import pytest

from core.artifact import manifest
from core.artifact.graph import Graph
from core.contract import ATTENTION_MASK, INPUT_IDS
from core.errors import GateError
from tests.support import artifacts
from verify.load import inputs, soak, stress

SIZES = stress.Sizes(vocabulary=60, positions=64)


def given(folder, **more):
    defaults = {"variant": None, "threads": 1, "seed": 3, "first": 0, "batches": 60}
    return argparse.Namespace(artifact=folder, **{**defaults, **more})


def test_the_default_holds(artifact, capsys):
    stress.run(given(artifact, first=4, batches=40))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [one.name for one in manifest.variants(artifact)]
    assert all("40 random batches" in line and " 0 violations" in line for line in lines)


def test_batches_are_as_described():
    drawn = [inputs.random_batch(0, number, 30522, 512) for number in range(3000)]
    shapes = [batch[INPUT_IDS].shape for batch in drawn]
    assert {size for size, _ in shapes} >= {1, 2, 3, 128}
    assert {length for _, length in shapes} >= {1, 2, 3, 512}
    assert max(size * length for size, length in shapes) <= 16_384
    assert all(batch[INPUT_IDS].shape == batch[ATTENTION_MASK].shape for batch in drawn)
    ids = np.concatenate([batch[INPUT_IDS].ravel() for batch in drawn])
    assert (ids.min(), ids.max()) == (0, 30521)
    masks = [batch[ATTENTION_MASK] for batch in drawn]
    assert any(not mask.any() for mask in masks)
    assert any((mask.any(axis=1) ^ True).any() and mask.any() for mask in masks)
    assert any((np.diff((mask != 0).astype(int), axis=1) == 1).any() for mask in masks)
    assert any((mask < 0).any() for mask in masks)
    again = inputs.random_batch(0, 17, 30522, 512)
    assert all(np.array_equal(again[name], drawn[17][name]) for name in (INPUT_IDS, ATTENTION_MASK))


def spoilt(tmp_path, change):
    """A tiny graph with one initializer or node changed."""
    folder = artifacts.artifact(tmp_path / "tiny", {"fp32": 0.0})
    path = folder / "onnx/model.onnx"
    model = onnx.load(path)
    change({tensor.name: tensor for tensor in model.graph.initializer}, model.graph.node)
    onnx.save(model, path)
    return Graph(path, 1)


def numbers(name, values):
    def change(initializers, nodes):
        initializers[name].CopyFrom(onnx.numpy_helper.from_array(np.array(values, np.float32), name))

    return change


def of_the_batch(initializers, nodes):
    """Add the number of texts to the logits."""
    nodes.insert(0, onnx.helper.make_node("Shape", ["input_ids"], ["texts"], start=0, end=1))
    nodes.insert(1, onnx.helper.make_node("Cast", ["texts"], ["added"], to=onnx.TensorProto.FLOAT))
    next(node for node in nodes if node.op_type == "Sub").input[1] = "added"


def operator(kind):
    def change(initializers, nodes):
        nodes[-1].op_type = kind

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (numbers("limits", [0.3, 0.5, 0.75]), "predictions are not what thresholds make"),
        (operator("LessOrEqual"), "predictions are not what thresholds make"),
        (numbers("bias", [np.nan, 0, 0]), "answers are not finite"),
        (numbers("bias", [np.inf, 0, 0]), "answers are not finite"),
        (of_the_batch, "alone: a probability changes by"),
    ],
)
def test_violations_are_found(tmp_path, change, said):
    graph, found = spoilt(tmp_path, change), stress.Report()
    stress.check_batches(graph, SIZES, 0, 0, 50, found)
    assert found.batches == 50
    assert found.violations
    assert said in found.violations[0]


def test_a_graph_that_answers_what_it_must_refuse(tmp_path):
    """The tiny graph has no table of ids, so it answers any; the report names what it answered."""
    graph, found = spoilt(tmp_path, lambda initializers, nodes: None), stress.Report()
    stress.check_odd(graph, SIZES, found)
    assert "id -1: answered, expected an error" in found.violations
    assert "a sequence of 65: answered, expected an error" in found.violations
    assert not [wrong for wrong in found.violations if "rank" in wrong or "of int32" in wrong]


@pytest.mark.parametrize("variant", ["onnx/model.onnx", "onnx/model_quantized.onnx"])
def test_what_the_default_refuses(artifact, variant):
    graph, found, sizes = Graph(artifact / variant, 1), stress.Report(), stress.sizes(artifact)
    assert (sizes.vocabulary, sizes.positions) == (30522, 512)
    stress.check_odd(graph, sizes, found)
    assert found.violations == []
    assert found.odd >= 40
    for _, feeds in inputs.empty():
        shapes = [answer.shape for answer in graph.session.run(None, feeds)]
        assert shapes == [(0, 28)] * 3


def test_a_soak_finds_other_answers_and_tells_memory(tmp_path, monkeypatch):
    graph = spoilt(tmp_path, lambda initializers, nodes: None)
    found = soak.soak(graph, 60, 64, 1.0)
    assert found.answers > 100
    assert found.differences == []
    assert min(found.memory_bytes) > 10_000_000
    calls = iter(range(10**9))
    right = graph.session.run

    class Wrong:
        pid = graph.session.pid

        def run(self, names, feeds):
            answers = right(names, feeds)
            return [answers[0] + 1, *answers[1:]] if next(calls) > 200 else answers

    monkeypatch.setattr(graph, "session", Wrong())
    assert soak.soak(graph, 60, 64, 0.5).differences


def test_memory_that_grows_is_a_failure(artifact, monkeypatch):
    grown = soak.Soaked(10, [], [100_000_000] * 50 + [106_000_000] * 50)
    assert grown.drift == pytest.approx(0.06)
    assert soak.Soaked(10, [], [50_000_000] * 10 + [100_000_000] * 90).drift == 0
    monkeypatch.setattr(soak, "soak", lambda *_: grown)
    with pytest.raises(GateError, match="int8: memory grew by 6"):
        soak.run(argparse.Namespace(artifact=artifact, variant="int8", minutes=0.01))
