"""Smoothing is exact; int8 products are close, and independent of the batch."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import GraphError
from graphs.edit import legal, ops
from graphs.int8 import activations, quantize, rounding, smooth
from graphs.int8.scales import HALF_LEVELS, mean_of
from tests.support.factories import random_tokens
from tests.support.graphs import linear_head, run
from tests.support.quantization import LABELS, all_in, busy, packed_with_head, plan_of, probabilities, wide


@pytest.fixture(scope="module")
def plans(mean, cls):
    return {made.folder: plan_of(made) for made in (mean, cls)}


def quantized(made, plan):
    model = packed_with_head(made)
    quantize.quantize(model, plan)
    legal.check(model)
    return model


def original(made, ids, mask):
    """Torch's embedding through the head, in numpy."""
    head = linear_head(LABELS, made.info.hidden)
    return 1 / (1 + np.exp(-(made.original(ids, mask) @ head.weight_hl + head.bias_l)))


@pytest.mark.parametrize("plan", [lambda p: p, busy], ids=["plain", "float and split channels"])
def test_smoothing_keeps_torchs_answers(any_encoder, plans, plan):
    ids, mask = random_tokens(5, 20, any_encoder.info.vocabulary, holes=True, seed=4)
    model = packed_with_head(any_encoder)
    smooth.smooth(model, plan(plans[any_encoder.folder]))
    legal.check(model)
    found = probabilities(model, ids, mask)
    np.testing.assert_allclose(found, original(any_encoder, ids, mask), atol=1e-5)


def test_a_smoothed_activation_lies_in_the_steps_of_eight_bits(mean, plans):
    model = packed_with_head(mean)
    smooth.smooth(model, plans[mean.folder])
    norms = [node for node in model.graph if node.name.endswith("_norm")][:-1]
    for node in norms:
        model.graph.outputs.append(ops.typed(node.outputs[0], ir.DataType.FLOAT, ["t", mean.info.hidden]))
    ids, mask = random_tokens(8, 60, mean.info.vocabulary, seed=9)
    for array in run(model, ids, mask, [node.outputs[0].name for node in norms]):
        assert 60 < abs(array).max() < 2 * HALF_LEVELS
        assert (abs(array) > HALF_LEVELS + 1).mean() < 0.01


def rounded_weights_alone(made, plan):
    """The graph with rounded weights and words, activations as they are."""
    model = packed_with_head(made)
    reduced = smooth.smooth(model, plan)
    for nodes in activations.find(model):
        activation = reduced[nodes.name]
        for node in nodes.linears:
            weight, bias = (ops.array_of(value) for value in node.inputs[1:3])
            integers, scale = rounding.round_columns(weight, activation.split_channels)
            rebuilt = np.zeros_like(weight)
            channels = [*range(len(weight)), *rounding.copies_of(activation.split_channels)]
            np.add.at(rebuilt, channels, integers * scale)
            lost = mean_of(activation, nodes.kind) @ (weight - rebuilt)
            for index, array in ((1, rebuilt), (2, bias + lost)):
                node.replace_input_with(index, ops.constant(model.graph, f"{node.name}_rounded", array))
    quantize._words(model.graph)
    model.graph.sort()
    return model


@pytest.mark.parametrize("plan", [lambda p: p, busy], ids=["plain", "float and split channels"])
def test_one_term_is_close_and_a_second_takes_its_rounding_away(any_encoder, plans, plan):
    ids, mask = random_tokens(16, 30, any_encoder.info.vocabulary, seed=5)
    made = wide(plan(plans[any_encoder.folder]))
    unrounded = probabilities(rounded_weights_alone(any_encoder, made), ids, mask)
    np.testing.assert_allclose(unrounded, original(any_encoder, ids, mask), atol=0.1)
    one, two = (
        float(abs(probabilities(quantized(any_encoder, all_in(made, mode)), ids, mask) - unrounded).mean())
        for mode in ("int8", "int8x2")
    )
    assert 0 < one < 0.02
    # A step of an eighth.
    assert two < 0.25 * one


def test_float_everywhere_quantizes_the_words_alone(mean, plans):
    model = quantized(mean, all_in(plans[mean.folder], "float"))
    assert not ops.nodes_of(model.graph, "MatMulIntegerToFloat")
    table = next(node for node in model.graph if node.name == "word_embedding_s8").inputs[0]
    assert table.dtype == ir.DataType.INT8
    assert list(table.shape) == [mean.info.vocabulary, mean.info.hidden]


def test_every_scale_is_a_constant(any_encoder, plans):
    graph = quantized(any_encoder, plans[any_encoder.folder]).graph
    products = ops.nodes_of(graph, "MatMulIntegerToFloat")
    cls_rows = int(any_encoder.info.pooling == "cls")
    assert len(products) == 4 * any_encoder.info.layers + cls_rows
    for node in [*products, *ops.nodes_of(graph, "QuantizeLinear")]:
        constants = node.inputs[1:] if node.op_type == "MatMulIntegerToFloat" else node.inputs[1:3]
        assert all(value.is_initializer() for value in constants if value is not None)
    assert not [node for node in graph if node.op_type.startswith("Dynamic")]


@pytest.fixture(scope="module")
def sessions(mean, cls, plans):
    return {
        made.folder: onnxruntime.InferenceSession(
            ir.to_proto(quantized(made, busy(plans[made.folder]))).SerializeToString()
        )
        for made in (mean, cls)
    }


@settings(max_examples=25, deadline=None)
@given(batch=st.integers(2, 9), sequence=st.integers(1, 64), seed=st.integers(0, 999))
def test_a_text_alone_and_in_any_batch(any_encoder, sessions, batch, sequence, seed):
    ids, mask = random_tokens(batch, sequence, any_encoder.info.vocabulary, seed=seed)
    session = sessions[any_encoder.folder]
    together = session.run(["probabilities"], {"input_ids": ids, "attention_mask": mask})[0]
    for row in range(batch):
        length = mask[row].sum()
        inputs = {"input_ids": ids[row : row + 1, :length], "attention_mask": mask[row : row + 1, :length]}
        alone = session.run(["probabilities"], inputs)[0]
        np.testing.assert_allclose(alone[0], together[row], atol=1e-6, rtol=0)


def test_a_plan_for_another_graph_is_refused(mean, cls, plans):
    with pytest.raises(GraphError, match=r"the plan has activations \['layer_0_qkv', .*, the graph \["):
        quantize.quantize(packed_with_head(cls), plans[mean.folder])


def test_quantizing_is_deterministic(cls, plans):
    first, second = (
        ir.to_proto(quantized(cls, busy(plans[cls.folder]))).SerializeToString() for _ in range(2)
    )
    assert first == second
