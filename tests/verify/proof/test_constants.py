"""Constants of a graph: as onnx reads them, and nothing but an error from what is none."""

from __future__ import annotations

import random

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from core.errors import ArtifactError
from tests.support import artifacts
from verify.proof import constants


@pytest.fixture(params=[False, True], ids=["plain", "branches"])
def graph(tmp_path, request):
    path = tmp_path / "model.onnx"
    artifacts.graph(path, artifacts.LABELS, artifacts.WEIGHTS, 0.0, branches=request.param)
    return path


def deciding(model):
    """The graphs that decide: the model's own, or the branches of its `If`."""
    return [attribute.g for attribute in model.graph.node[-1].attribute if attribute.HasField("g")] or [
        model.graph
    ]


def limits(path):
    return constants.compared_with(path, "predictions").tolist()


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
        (lambda g: g.node[-1].input.__setitem__(1, g.node[0].output[0]), "is not a constant"),
        (lambda g: g.node[-1].input.pop(), "expected GreaterOrEqual of two"),
        (lambda g: setattr(g.node[-1], "op_type", "Less"), "found Less of .*, expected GreaterOrEqual"),
    ],
)
def test_a_graph_without_such_a_constant(graph, change, said):
    model = onnx.load(graph)
    change(deciding(model)[0])
    onnx.save(model, graph)
    with pytest.raises(ArtifactError, match=said):
        limits(graph)


def test_an_output_that_nothing_computes(graph):
    with pytest.raises(ArtifactError, match="no node computes decisions"):
        constants.compared_with(graph, "decisions")


def test_a_constant_of_another_type(graph):
    model = onnx.load(graph)
    (tensor,) = [found for found in model.graph.initializer if found.name == "limits"]
    tensor.CopyFrom(helper.make_tensor("limits", TensorProto.DOUBLE, [3], artifacts.LIMITS))
    onnx.save(model, graph)
    with pytest.raises(ArtifactError, match="found element type 11, expected float32"):
        limits(graph)


def test_branches_that_decide_differently(tmp_path):
    path = tmp_path / "model.onnx"
    artifacts.graph(path, artifacts.LABELS, artifacts.WEIGHTS, 0.0, branches=True)
    model = onnx.load(path)
    deciding(model)[1].node[-1].input[1] = "bias"
    onnx.save(model, path)
    with pytest.raises(ArtifactError, match="its branches compare with different constants"):
        limits(path)


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


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_one_row_that_is_not_finite(graph, number, kind):
    """No text of the reference may have the token that reads it."""
    table = np.zeros((50, 4), kind)
    model = onnx.load(graph)
    model.graph.initializer.append(onnx.numpy_helper.from_array(table, "table"))
    onnx.save(model, graph)
    limits(graph)
    table[17, 2] = number
    model.graph.initializer[-1].CopyFrom(onnx.numpy_helper.from_array(table, "table"))
    onnx.save(model, graph)
    with pytest.raises(ArtifactError, match="initializer 'table' holds NaN or infinity"):
        limits(graph)
