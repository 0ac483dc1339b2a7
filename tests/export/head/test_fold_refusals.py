"""What is not affine is refused, with the operator's name: never folded into something near."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from export.head.fold import fold
from export.head.operators import NotLinearError
from tests.support.heads import graph

WIDTH = 4
CONSTANTS = {
    "w": np.eye(WIDTH, dtype=np.float32),
    "w2": np.ones((WIDTH, 2), np.float32),
    "half": np.float32([0.5]),
    "zero": np.array([0]),
    "one": np.array([1]),
    "two": np.array([2]),
}


def node(operator, inputs, outputs, **attributes):
    return helper.make_node(operator, inputs.split(), outputs.split(), **attributes)


CLASSIFIER = {"domain": "ai.onnx.ml", "intercepts": [0.0, 0.0, 0.0], "classlabels_ints": [0, 1, 2]}
SIGMOID = node("Sigmoid", "z", "p")
REFUSED = {
    "Relu": [node("Relu", "x", "z"), SIGMOID],
    "Tanh": [node("Tanh", "x", "p")],
    "Mul combines two": [node("Mul", "x x", "z"), SIGMOID],
    "Add combines two": [node("Add", "x x", "z"), SIGMOID],
    "Div ": [node("Div", "half x", "z"), SIGMOID],
    "MatMul ": [node("Sigmoid", "x", "s"), node("MatMul", "s w", "z"), SIGMOID],
    "Gemm transposes": [node("Gemm", "x w", "z", transA=1), SIGMOID],
    "not a probability of its own": [node("Softmax", "x", "p")],
    "Softmax is along": [node("Softmax", "x", "p", axis=0)],
    "Sigmoid ": [node("Sigmoid", "x", "z"), SIGMOID],
    "Mul ": [node("Sigmoid", "x", "z"), node("Mul", "z half", "p")],
    "Abs ": [node("Abs", "x", "z"), SIGMOID],
    "Concat .*batch": [node("Sigmoid", "x", "z"), node("Concat", "z z", "p", axis=0)],
    "Concat .*kinds": [node("Sigmoid", "x", "z"), node("Concat", "z x", "p", axis=1)],
    "Slice .*batch": [node("Slice", "x zero one zero", "z"), SIGMOID],
    "Gather .*batch": [node("Gather", "x zero", "z", axis=0), SIGMOID],
    "Cast ": [node("Cast", "x", "z", to=7), node("Cast", "z", "y", to=1), node("Sigmoid", "y", "p")],
    "ReduceSum ": [node("Sigmoid", "x", "s"), node("ReduceSum", "s one", "n"), node("Div", "s n", "p")],
    "Normalizer ": [node("Normalizer", "x", "p", domain="ai.onnx.ml", norm="L1")],
    "LinearClassifier has 3 classes": [
        node("LinearClassifier", "x", "l p", post_transform="PROBIT", coefficients=[0.5] * 12, **CLASSIFIER)
    ],
    "not a probability": [node("MatMul", "x w", "p")],
    "has 4 columns for 3 labels": [node("Sigmoid", "x", "p")],
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused_with_the_operators_name(message):
    model = graph(REFUSED[message], WIDTH, {"p": None}, CONSTANTS)
    with pytest.raises(NotLinearError, match=message):
        fold(model.graph, WIDTH, ["p"], 3)


@pytest.mark.parametrize(
    "nodes",
    [
        [node("MatMul", "x w2", "z"), node("Sigmoid", "z", "joy")],
        [node("MatMul", "x w2", "z"), node("Softmax", "z", "y"), node("Gather", "y zero", "joy", axis=1)],
    ],
    ids=["two sigmoids", "half a pair"],
)
def test_a_named_output_that_is_not_a_pair(nodes):
    model = graph(nodes, WIDTH, {"joy": None, "fear": None}, CONSTANTS)
    model.graph.node.append(node("Softmax", "z", "fear"))
    with pytest.raises(NotLinearError, match="not a pair of probabilities"):
        fold(model.graph, WIDTH, ["fear", "joy"], 2)


def test_what_no_output_needs_may_be_anything():
    nodes = [node("Relu", "x", "unused"), node("MatMul", "x w", "z"), SIGMOID]
    weight, bias = fold(graph(nodes, WIDTH, {"p": None}, CONSTANTS).graph, WIDTH, ["p"], WIDTH)
    np.testing.assert_array_equal(weight, np.eye(WIDTH))
    np.testing.assert_array_equal(bias, np.zeros(WIDTH))
