"""Graphs for other engines: the same answers without padding-free layout, in QDQ form, in float16."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from onnx import version_converter
from onnx.reference import ReferenceEvaluator
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument

from core.errors import GraphError
from graphs.edit import legal, ops
from graphs.finish import padded, standard, token_dimension
from graphs.int8 import quantize, sums
from graphs.plain import half, layout, normalization, qdq, token_types
from graphs.unpadded import branch
from tests.support import features as several
from tests.support.graphs import session_of
from tests.support.masks import batch_of, batches, wrong_input
from tests.support.quantization import all_in, bare, busy, int8, packed_with_head

EXACT = 1e-6
# A last bit ahead of a rounding moves an integer.
ROUNDED = 0.02
# What a graph may not have whose shapes follow from its inputs'.
DATA_DEPENDENT = {"NonZero", "TopK", "GatherND", "CumSum", "OneHot", "If", "Compress"}


def float32(made) -> ir.Model:
    model = packed_with_head(made)
    token_dimension.name(model, made.info.hidden)
    standard.standard(model)
    return model


def finished(made, change=lambda plan: plan) -> ir.Model:
    """As it ships: with both branches."""
    model = int8(made, change)
    sums.sums(model)
    token_dimension.name(model, made.info.hidden)
    branch.unpadded(model)
    return model


def in_qdq(model: ir.Model) -> ir.Model:
    assert padded.padded(model) == 1
    assert normalization.layer(model) > 0
    assert layout.plain(model) > 0
    assert qdq.products(model) > 0
    qdq.scores(model)
    standard.standard(model)
    ops.remove_unused(model)
    legal.check(model)
    return model


def answers(session, ids, mask):
    return session.run(["probabilities"], {"input_ids": ids, "attention_mask": mask})[0]


def evaluated(model: ir.Model, ids, mask):
    """By ONNX's own evaluator, which has `DequantizeLinear` from version 19 on."""
    proto = version_converter.convert_version(ir.to_proto(model), 19)
    return ReferenceEvaluator(proto).run(["probabilities"], {"input_ids": ids, "attention_mask": mask})[0]


def used(model: ir.Model) -> Counter[str]:
    assert {node.domain for node in model.graph.all_nodes()} == {""}
    return Counter(node.op_type for node in model.graph.all_nodes())


@pytest.fixture(scope="module")
def pair(mean):
    model = float32(mean)
    layout.plain(model)
    return session_of(float32(mean)), session_of(model)


@settings(max_examples=30, deadline=None)
@given(drawn=batches())
def test_any_mask(mean, pair, drawn):
    given_batch = batch_of(mean, *drawn)
    np.testing.assert_allclose(*(answers(one, *given_batch) for one in pair), rtol=0, atol=EXACT)


def test_every_pooling_in_float32(every_encoder):
    model = float32(every_encoder)
    assert layout.plain(model) == every_encoder.info.layers
    legal.check(model)
    assert not set(used(model)) & DATA_DEPENDENT
    before, after = session_of(float32(every_encoder)), session_of(model)
    for kind in ("right", "left", "holes"):
        batch = batch_of(every_encoder, kind, 4, 19, 3)
        np.testing.assert_allclose(answers(after, *batch), answers(before, *batch), rtol=0, atol=EXACT)
        np.testing.assert_allclose(evaluated(model, *batch), answers(before, *batch), rtol=0, atol=1e-5)


def test_a_left_padded_row_and_one_without_a_token(cls):
    model = float32(cls)
    layout.plain(model)
    before, after = session_of(float32(cls)), session_of(model)
    ids = np.random.default_rng(5).integers(0, cls.info.vocabulary, (4, 6))
    mask = np.array([[0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0], [5, -1, 0, 1, 0, 0], [0, 0, 0, 0, 0, 1]])
    np.testing.assert_allclose(answers(after, ids, mask), answers(before, ids, mask), rtol=0, atol=EXACT)
    # What stands at padding is read by nobody.
    other = np.where(mask == 0, 10**6, ids)
    other[1, 0] = ids[1, 0]
    np.testing.assert_array_equal(answers(after, other, mask), answers(after, ids, mask))


@pytest.mark.parametrize("made", ["mixture", "pruned"], indirect=True)
@pytest.mark.parametrize("quantized", [False, True], ids=["float", "int8"])
def test_several_layers_and_poolings(made, quantized):
    def build_one():
        model = several.with_head(made, projected=True)
        if quantized:
            quantize.quantize(model, several.plan_of(made, several.with_head(made, projected=True)))
        token_dimension.name(model, made.info.hidden)
        return model

    model = build_one()
    layout.plain(model)
    batch = batch_of(made, "right", 5, 23, 4)
    found, expected = (answers(session_of(one), *batch) for one in (model, build_one()))
    np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDED if quantized else EXACT)


@pytest.mark.parametrize(
    "change",
    [lambda plan: plan, busy, lambda plan: all_in(plan, "int8x2")],
    ids=["full", "split", "two terms"],
)
def test_qdq_has_the_integers_of_int8(any_encoder, change):
    before = finished(any_encoder, change)
    alone, model = before.clone(), in_qdq(before.clone())
    counts = used(model)
    assert all(value.uses() for value in model.graph.initializers.values())
    assert not set(counts) & (DATA_DEPENDENT | {"InstanceNormalization", "BatchNormalization"})
    padded.padded(alone)
    products = ops.nodes_of(alone.graph, "MatMulIntegerToFloat")
    wanted = sorted(ops.array(node, 1).tobytes() for node in products)
    weights = [
        node for node in ops.nodes_of(model.graph, "DequantizeLinear") if node.inputs[0].is_initializer()
    ]
    assert wanted
    assert sorted(ops.array(node, 0).tobytes() for node in weights) == wanted
    session, other = session_of(before), session_of(model)
    for kind in ("right", "all real"):
        batch = batch_of(any_encoder, kind, 4, 15, 8)
        expected = answers(session, *batch)
        np.testing.assert_allclose(answers(other, *batch), expected, rtol=0, atol=ROUNDED)
        np.testing.assert_allclose(evaluated(model, *batch), expected, rtol=0, atol=ROUNDED)


def test_both_ends_of_a_pair_have_one_scale_and_one_zero_point(mean):
    for change in (lambda plan: plan, lambda _: bare(mean)):
        model = in_qdq(finished(mean, change))
        pairs = 0
        for node in ops.nodes_of(model.graph, "DequantizeLinear"):
            rounding = node.inputs[0].producer()
            if rounding is not None and rounding.op_type == "QuantizeLinear":
                assert [value.name for value in node.inputs[1:]] == [v.name for v in rounding.inputs[1:]]
                pairs += 1
        assert pairs


def test_float16_up_to_the_last_layer(any_encoder):
    model = float32(any_encoder)
    layout.plain(model)
    assert half.half(model) > 0
    legal.check(model)
    kinds = {name: value.const_value.dtype for name, value in model.graph.initializers.items()}
    layers = [kind for name, kind in kinds.items() if name.startswith("layer_") and kind.is_floating_point()]
    assert set(layers) == {ir.DataType.FLOAT16}
    assert {kind for name, kind in kinds.items() if name.startswith(("head_", "thresholds"))} == {
        ir.DataType.FLOAT
    }
    batch = batch_of(any_encoder, "right", 4, 15, 8)
    expected = answers(session_of(float32(any_encoder)), *batch)
    for found in (answers(session_of(model), *batch), evaluated(model, *batch)):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDED)


def test_a_number_beyond_float16_is_an_error(mean):
    model = float32(mean)
    layout.plain(model)
    node = model.graph.node("layer_1_up")
    weight = ops.array(node, 1).copy()
    weight[0, 0] = 1e6
    ops.set_array(model.graph, node, 1, weight)
    with pytest.raises(GraphError, match=r"layer_1_up_weight\w*: found 1e\+06, expected at most 65504"):
        half.half(model)


def test_token_types_are_taken_and_ignored(mean):
    model = finished(mean)
    assert token_types.accept(model) == 1
    session, before = session_of(model), session_of(finished(mean))
    assert [value.name for value in session.get_inputs()] == ["input_ids", "attention_mask", "token_type_ids"]
    ids, mask = batch_of(mean, "right", 3, 9, 1)
    for types in (np.zeros_like(ids), np.full_like(ids, 7)):
        given_types = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        found = session.run(["probabilities"], given_types)[0]
        np.testing.assert_array_equal(found, answers(before, ids, mask))
    with pytest.raises(GraphError, match="found token_type_ids, expected a graph without it"):
        token_types.accept(model)


@wrong_input
def test_wrong_input_is_an_error(pair, ids, mask):
    for session in pair:
        with pytest.raises((Fail, InvalidArgument)):
            answers(session, ids, mask)


def test_what_is_no_packed_graph_is_an_error(mean):
    model = float32(mean)
    layout.plain(model)
    with pytest.raises(GraphError, match="`pack` must come before"):
        layout.plain(model)
    # Nothing was half done.
    onnx.checker.check_model(ir.to_proto(model))
