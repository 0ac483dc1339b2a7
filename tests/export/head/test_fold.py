"""Folding graphs of every affine form, against onnxruntime running the same graph."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from export.head.fold import fold
from tests.support.chain import STEPS, Chain
from tests.support.heads import graph, sigmoid

WIDTH = 5
node = helper.make_node


def run(model, x, *names):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(list(names), {"x": x})


def points():
    return np.random.default_rng(1).standard_normal((16, WIDTH)).astype(np.float32)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(STEPS), min_size=1, max_size=6), st.integers(0, 2**16))
def test_a_chain_of_affine_steps(kinds, seed):
    chain = Chain(WIDTH, seed)
    for kind in kinds:
        chain.step(kind)
    logits = chain.value
    chain.emit("Sigmoid", [logits])
    shape = ["N", chain.width]
    model = graph(chain.nodes, WIDTH, {chain.value: shape, logits: shape}, chain.constants)
    weight, bias = fold(model.graph, WIDTH, [chain.value], chain.width)
    probabilities, expected = run(model, points(), chain.value, logits)
    found = points() @ weight + bias
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(sigmoid(found), probabilities, atol=3e-5)


def weights(*shape):
    return np.random.default_rng(2).standard_normal(shape).astype(np.float32)


PAIRS = {
    "softmax": [node("Gemm", ["x", "w", "b"], ["z"]), node("Softmax", ["z"], ["joy"])],
    "multinomial": [
        node("LinearClassifier", ["x"], ["label", "joy"], domain="ai.onnx.ml", post_transform="SOFTMAX",
             coefficients=weights(2 * WIDTH), intercepts=[0.5, -0.25], classlabels_ints=[0, 1])
    ],
    "one minus": [
        node("Gemm", ["x", "w1"], ["z"]), node("Sigmoid", ["z"], ["yes"]),
        node("Sub", ["one", "yes"], ["no"]),
        node("Concat", ["no", "yes"], ["joy"], axis=1),
    ],
    "the other way round": [
        node("Gemm", ["x", "w1"], ["z"]), node("Sigmoid", ["z"], ["no"]), node("Sub", ["one", "no"], ["yes"]),
        node("Concat", ["no", "yes"], ["joy"], axis=-1),
    ],
}  # fmt: skip
CONSTANTS = {"w": weights(WIDTH, 2), "b": weights(2), "w1": weights(WIDTH, 1), "one": np.float32([1])}


@pytest.mark.parametrize("kind", PAIRS)
def test_a_pair_by_hand(kind):
    model = graph(PAIRS[kind], WIDTH, {"joy": ["N", 2]}, CONSTANTS)
    weight, bias = fold(model.graph, WIDTH, ["joy"], 1)
    expected = run(model, points(), "joy")[0][:, 1:]
    np.testing.assert_allclose(sigmoid(points() @ weight + bias), expected, atol=1e-6)
    assert np.ptp(expected) > 0.3


def test_constants_listed_as_inputs():
    """Files of an IR before 4 list them so, and not always behind the embedding."""
    model = graph(PAIRS["softmax"], WIDTH, {"joy": ["N", 2]}, CONSTANTS)
    listed = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, a.shape) for n, a in CONSTANTS.items()]
    embedding = model.graph.input.pop()
    model.graph.input.extend([*listed, embedding])
    weight, bias = fold(model.graph, WIDTH, ["joy"], 1)
    np.testing.assert_allclose(
        sigmoid(points() @ weight + bias), run(model, points(), "joy")[0][:, 1:], atol=1e-6
    )
