"""Constants read from a graph's bytes: as onnx reads them, and nothing but an error from what is none."""

from __future__ import annotations

import random

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from export.contract import ArtifactError
from tests.verify import artifacts
from verify import wire


@pytest.fixture
def graph(tmp_path):
    path = tmp_path / "model.onnx"
    artifacts.graph(path, artifacts.LABELS, artifacts.WEIGHTS, 0.0)
    return path


def limits(path):
    return wire.compared_with(path, "predictions").tolist()


def test_the_constant_is_the_one_that_was_written(graph):
    assert limits(graph) == np.array(artifacts.LIMITS, np.float32).tolist()


def test_floats_that_are_not_raw_are_read_as_well(graph):
    model = onnx.load(graph)
    (tensor,) = [found for found in model.graph.initializer if found.name == "limits"]
    tensor.CopyFrom(helper.make_tensor("limits", TensorProto.FLOAT, [3], artifacts.LIMITS))
    assert not tensor.raw_data
    onnx.save(model, graph)
    assert limits(graph) == np.array(artifacts.LIMITS, np.float32).tolist()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.graph.node.pop(), "no node computes predictions"),
        (lambda m: m.graph.node[-1].input.__setitem__(1, "logits"), "logits is not a constant"),
        (lambda m: m.graph.node[-1].input.pop(), "expected GreaterOrEqual of two"),
        (lambda m: setattr(m.graph.initializer[-1], "data_type", TensorProto.DOUBLE), "expected float32"),
    ],
)
def test_a_graph_without_such_a_constant(graph, change, said):
    model = onnx.load(graph)
    change(model)
    onnx.save(model, graph)
    with pytest.raises(ArtifactError, match=said):
        limits(graph)


def test_a_file_that_is_cut_or_changed_is_an_error_or_another_answer_and_nothing_else(graph):
    content = graph.read_bytes()
    chosen, refused = random.Random(0), 0
    spoiled = [content[:length] for length in range(len(content))]
    for _ in range(1500):
        changed = bytearray(content)
        for _ in range(chosen.randrange(1, 4)):
            changed[chosen.randrange(len(changed))] = chosen.randrange(256)
        spoiled.append(bytes(changed))
    for one in spoiled:
        graph.write_bytes(one)
        try:
            limits(graph)
        except ArtifactError:
            refused += 1
    assert refused > len(content) // 2
