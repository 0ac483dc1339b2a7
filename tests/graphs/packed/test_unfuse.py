"""Unfusing: the operators and weights of each linear layer, and the graphs that are refused."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx_ir as ir
import pytest

from core.errors import GraphError
from graphs.edit import legal, ops
from graphs.packed import unfuse
from tests.support.graphs import ATTENTION, operators_of_layer, packed, pooled, unfused

REST = {"Gemm": 3, "Add": 2, "LayerNormalization": 2, "Gelu": 1}


def named(model):
    return {node.name: node for node in model.graph}


def parameters(node):
    return [ops.array_of(value) for value in node.inputs[1:]]


def test_the_operators_of_each_layer(every_encoder):
    model = packed(every_encoder)
    assert unfuse.unfuse(model) == 3 * every_encoder.info.layers
    legal.check(model)
    for number in range(every_encoder.info.layers):
        assert operators_of_layer(model, number) == ATTENTION + Counter(REST)
        linears = {f"layer_{number}_{name}" for name in ("qkv", *unfuse.LINEARS)}
        gemms = {str(node.name) for node in ops.nodes_of(model.graph, "Gemm")}
        assert {name for name in gemms if name.startswith(f"layer_{number}_")} == linears


def test_every_weight_is_torchs(deep):
    found = named(unfused(deep))
    hidden, factor = deep.info.hidden, np.float32(1 / np.sqrt(deep.info.hidden / deep.info.heads))
    for number, layer in enumerate(deep.bert.encoder.layer):
        attention = layer.attention
        linears = {
            "attention_output": attention.output.dense,
            "up": layer.intermediate.dense,
            "down": layer.output.dense,
        }
        for name, linear in linears.items():
            weight, bias = parameters(found[f"layer_{number}_{name}"])
            np.testing.assert_array_equal(weight, linear.weight.detach().numpy().T)
            np.testing.assert_array_equal(bias, linear.bias.detach().numpy())
        for name, norm in (("attention_norm", attention.output.LayerNorm), ("norm", layer.output.LayerNorm)):
            node = found[f"layer_{number}_{name}"]
            scale, bias = parameters(node)
            np.testing.assert_array_equal(scale, norm.weight.detach().numpy())
            np.testing.assert_array_equal(bias, norm.bias.detach().numpy())
            assert node.attributes.get_float("epsilon") == pytest.approx(norm.eps, rel=1e-6)
        weight, bias = parameters(found[f"layer_{number}_qkv"])
        own = attention.self
        for index, (part, scale) in enumerate(((own.query, factor), (own.key, 1), (own.value, 1))):
            columns = slice(index * hidden, (index + 1) * hidden)
            np.testing.assert_allclose(weight[:, columns], part.weight.detach().numpy().T * scale, rtol=1e-6)
            np.testing.assert_allclose(bias[columns], part.bias.detach().numpy() * scale, rtol=1e-6)


def test_unfuse_refuses_a_graph_already_unfused(any_encoder):
    with pytest.raises(GraphError, match="found 0 SkipLayerNormalization and 0 BiasGelu, expected 2 : 1"):
        unfuse.unfuse(unfused(any_encoder))


def test_unfuse_refuses_a_graph_that_is_not_packed(any_encoder):
    model = pooled(any_encoder)
    before = ir.to_proto(model).SerializeToString()
    with pytest.raises(GraphError, match="found Attention, expected a packed graph"):
        unfuse.unfuse(model)
    assert ir.to_proto(model).SerializeToString() == before


def test_unfuse_refuses_another_number_of_normalizations(mean):
    model = packed(mean)
    ops.nodes_of(model.graph, "SkipLayerNormalization")[0].op_type = "Other"
    with pytest.raises(GraphError, match="found 3 SkipLayerNormalization and 2 BiasGelu, expected 2 : 1"):
        unfuse.unfuse(model)


def test_unfuse_refuses_a_normalization_without_the_linear_layers_bias(any_encoder):
    model = packed(any_encoder)
    node = ops.nodes_of(model.graph, "SkipLayerNormalization")[0]
    node.resize_inputs(4)
    with pytest.raises(GraphError, match=f"{node.name}: found 4 inputs, expected 5"):
        unfuse.unfuse(model)


def test_unfuse_refuses_a_gelu_without_a_bias(any_encoder):
    model = packed(any_encoder)
    node = ops.nodes_of(model.graph, "BiasGelu")[0]
    node.replace_input_with(1, None)
    with pytest.raises(GraphError, match=f"{node.name}: found no bias"):
        unfuse.unfuse(model)


@pytest.mark.parametrize("op_type", ["SkipLayerNormalization", "BiasGelu"])
def test_unfuse_refuses_another_operator_before_it(any_encoder, op_type):
    model = packed(any_encoder)
    product = ops.nodes_of(model.graph, op_type)[0].inputs[0].producer()
    product.op_type = "Add"
    with pytest.raises(GraphError, match=f"{product.name}: found Add, expected the MatMul of a linear layer"):
        unfuse.unfuse(model)


def test_unfuse_refuses_a_computed_weight(any_encoder):
    model = packed(any_encoder)
    product = ops.nodes_of(model.graph, "BiasGelu")[0].inputs[0].producer()
    product.replace_input_with(1, product.inputs[0])
    with pytest.raises(GraphError, match="expected an initializer, found a computed value"):
        unfuse.unfuse(model)
