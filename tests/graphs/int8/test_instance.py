"""Normalizations without gamma and beta: exact, near when rounded, and refused where they cannot be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest
import torch

from core.errors import GraphError
from graphs.edit import legal, ops
from graphs.edit.files import load as load_graph
from graphs.finish import padded
from graphs.int8 import calibration, instance, quantize, smooth
from graphs.search import initial_plan, schemes
from graphs.unpadded import branch, rows
from tests.support.factories import random_tokens
from tests.support.graphs import linear_head, session_of
from tests.support.quantization import LABELS, bare, packed_with_head, probabilities, random_ids

WIDTH, EPSILON = 12, 1e-12
# Of 12 values none is more than sqrt(11) deviations from their mean; some roundings of that and of the mean.
ROUNDED = 2e-6


def of_one_normalization(shape: list[str], gamma: float = 1) -> ir.Model:
    x = ops.typed(ir.val("x"), ir.DataType.FLOAT, [*shape, WIDTH])
    graph = ir.Graph([x], [], nodes=[], opset_imports={"": 20}, name="normalization")
    ends = [
        ops.constant(graph, name, np.full(WIDTH, number, np.float32))
        for name, number in (("gamma", gamma), ("beta", 0))
    ]
    attributes = {"axis": -1, "epsilon": EPSILON}
    graph.append(ops.node("LayerNormalization", [x, *ends], "norm", attributes=attributes))
    scaled = ops.node("Mul", [graph[0].outputs[0], ends[0]], "scaled")
    graph.append(scaled)
    graph.outputs.append(ops.typed(scaled.outputs[0], ir.DataType.FLOAT, [*shape, WIDTH]))
    return ir.Model(graph, ir_version=10)


def torchs(x: np.ndarray) -> np.ndarray:
    return torch.nn.functional.layer_norm(torch.tensor(x), (WIDTH,), eps=EPSILON).numpy()


def test_a_token_is_normalized_as_by_torch():
    model = of_one_normalization(["t"])
    instance.instance(model.graph, model.graph.node("norm").outputs[0])
    assert [node.op_type for node in model.graph] == ["Unsqueeze", instance.OP_TYPE, "Squeeze", "Mul"]
    random = np.random.default_rng(0)
    for tokens in (0, 1, 37):
        x = random.normal(3, 10, (tokens, WIDTH)).astype(np.float32)
        np.testing.assert_allclose(session_of(model).run(None, {"x": x})[0], torchs(x), atol=ROUNDED)


def test_gamma_and_beta_are_applied_to_the_bit():
    model = of_one_normalization(["t"])
    random = np.random.default_rng(2)
    gamma, beta, x = (random.normal(0, 3, shape).astype(np.float32) for shape in (WIDTH, WIDTH, (37, WIDTH)))
    plain = model.clone()
    instance.instance(plain.graph, plain.graph.node("norm").outputs[0])
    for at, values in enumerate((gamma, beta), 1):
        ops.set_array(model.graph, model.graph.node("norm"), at, values)
    assert instance.every(model.graph) == 1
    kinds = ["Unsqueeze", instance.OP_TYPE, "Squeeze", "BatchNormalization", "Mul"]
    assert [node.op_type for node in model.graph] == kinds
    normalized = session_of(plain).run(None, {"x": x})[0]
    np.testing.assert_array_equal(session_of(model).run(None, {"x": x})[0], normalized * gamma + beta)


def test_rows_are_normalized_as_they_are():
    model = of_one_normalization(["b", "s"])
    graph = model.graph
    first = ops.node("Identity", [graph.inputs[0]], "first")
    graph.insert_before(graph.node("norm"), first)
    graph.node("norm").replace_input_with(0, first.outputs[0])
    instance.instance(graph, graph.node("norm").outputs[0])
    ones, zeros = (
        ops.constant(graph, name, np.full(5, number, np.float32)) for name, number in (("o", 1), ("z", 0))
    )
    rows.keep(graph, set(first.outputs), ones, ones, zeros)
    ops.remove_unused(model)
    assert [node.op_type for node in graph] == ["Identity", instance.OP_TYPE, "Mul"]
    x = np.random.default_rng(1).normal(-2, 4, (3, 5, WIDTH)).astype(np.float32)
    np.testing.assert_allclose(session_of(model).run(None, {"x": x})[0], torchs(x), atol=ROUNDED)


@pytest.mark.parametrize("value", ["norm", "scaled"])
def test_another_value_than_a_plain_normalizations_is_refused(value):
    model = of_one_normalization(["t"], gamma=2 if value == "norm" else 1)
    with pytest.raises(GraphError, match=f"{value}: expected a normalization of gamma 1 and beta 0"):
        instance.instance(model.graph, model.graph.node(value).outputs[0])


def test_gamma_and_beta_go_to_the_readers_without_a_change(any_encoder):
    ids, mask = random_tokens(5, 20, any_encoder.info.vocabulary, holes=True, seed=4)
    model = packed_with_head(any_encoder)
    smooth.smooth(model, bare(any_encoder))
    head = linear_head(LABELS, any_encoder.info.hidden)
    expected = 1 / (1 + np.exp(-(any_encoder.original(ids, mask) @ head.weight_hl + head.bias_l)))
    np.testing.assert_allclose(probabilities(model, ids, mask), expected, atol=1e-5)


def test_every_activation_of_a_normalization_has_one_step(any_encoder):
    model = packed_with_head(any_encoder)
    ids, mask = random_tokens(40, 30, any_encoder.info.vocabulary, seed=8)
    before = probabilities(model, ids, mask)
    quantize.quantize(model, bare(any_encoder))
    legal.check(model)
    layers = any_encoder.info.layers
    assert len(ops.nodes_of(model.graph, instance.OP_TYPE)) == 2 * layers + 1
    assert not ops.nodes_of(model.graph, "LayerNormalization")
    # Gamma and beta of the last, which no product reads; those of the others are in what reads them.
    assert [node.name for node in ops.nodes_of(model.graph, "BatchNormalization")] == [
        f"layer_{layers - 1}_norm_scaled"
    ]
    error = abs(probabilities(model, ids, mask) - before)
    # Twice what was seen.
    assert 0 < error.mean() < 0.002


def test_a_graph_of_it_is_read_again_and_answers_with_either_branch(any_encoder, tmp_path):
    """By the checked readers, that is: of the toolchain, and of the package for other engines."""
    model = packed_with_head(any_encoder)
    quantize.quantize(model, bare(any_encoder))
    branch.unpadded(model)
    whole, one = tmp_path / "model.onnx", tmp_path / "padded.onnx"
    ir.save(model, whole)
    padded.write(whole, one)
    ids, mask = random_tokens(6, 20, any_encoder.info.vocabulary, seed=3)
    for lengths in (mask, np.ones_like(mask)):
        inputs = {"input_ids": ids, "attention_mask": lengths}
        both = [session_of(load_graph(path)).run(None, inputs) for path in (whole, one)]
        for mine, theirs in zip(*both, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def _changed_gamma(model: ir.Model, number: float) -> ir.Model:
    """Another first gamma of the normalization before layer 0's `up`."""
    node = model.graph.node("layer_0_attention_norm")
    gamma = ops.array_of(node.inputs[1]).copy()
    gamma[3] = number
    node.replace_input_with(1, ops.constant(model.graph, "gamma", gamma))
    return model


@pytest.mark.parametrize("number", [0.0, -0.5])
def test_a_gamma_that_is_not_above_zero_keeps_its_steps(mean, number):
    model = _changed_gamma(packed_with_head(mean), number)
    observed = calibration.calibrate(model, random_ids(mean))
    plan = initial_plan.initial_plan(model, observed, "e" * 64, "h" * 64, schemes.cheaper("bare")[0])
    assert not plan.activations["layer_0_up"].normalized
    assert plan.activations["layer_1_up"].normalized
    with pytest.raises(GraphError, match=f"layer_0_up: normalized: found a gamma of {number:g}"):
        quantize.quantize(_changed_gamma(packed_with_head(mean), number), bare(mean))


@pytest.mark.parametrize(
    ("name", "mode", "message"),
    [
        ("layer_0_down", "int8", "layer_0_down: found normalized, expected it of a normalization's output"),
        ("layer_0_attention_output", "int8", "layer_0_attention_output: found normalized, expected it of"),
        ("layer_0_up", "int8x2", "layer_0_up: found normalized in mode int8x2, expected mode int8"),
    ],
)
def test_a_plan_that_says_it_of_another_activation_is_refused(mean, name, mode, message):
    plan = bare(mean)
    activation = replace(plan.activations[name], normalized=True, mode=mode)
    with pytest.raises(GraphError, match=message):
        quantize.quantize(
            packed_with_head(mean), replace(plan, activations={**plan.activations, name: activation})
        )
