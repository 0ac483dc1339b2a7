"""Batches without padding, a text alone among them: which branch they take, and that both say the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument

from core.errors import GraphError
from graphs.edit import legal, ops
from graphs.finish import padded
from graphs.int8 import quantize
from graphs.packed import pack
from graphs.unpadded import branch as unpadded
from tests.support import features as several
from tests.support.graphs import pooled, session_of
from tests.support.masks import wrong_input
from tests.support.quantization import bare, busy, int8, packed_with_head, plan_of

EXACT = 1e-6


def branched(model: ir.Model) -> ir.Model:
    assert unpadded.unpadded(model) == 1
    legal.check(model)
    return model


def all_outputs(session, ids, attention_mask):
    return session.run(None, {"input_ids": ids, "attention_mask": attention_mask})


def assert_same(found, expected):
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(mine.astype(float), theirs.astype(float), rtol=0, atol=EXACT)


def branch_of(model: ir.Model, folder, ids, attention_mask) -> str:
    """Which branch onnxruntime's own profile has nodes of."""
    options = onnxruntime.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "profile")
    session = onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString(), options)
    session.run(None, {"input_ids": ids, "attention_mask": attention_mask})
    names = {event["name"] for event in json.loads(Path(session.end_profiling()).read_text("utf-8"))}
    taken = [any(name.startswith(f"{prefix}layer_0_qkv") for name in names) for prefix in ("unpadded_", "")]
    assert sum(taken) == 1
    return "unpadded" if taken[0] else "padded"


@pytest.mark.parametrize("make", [packed_with_head, int8], ids=["float", "int8"])
def test_a_text_alone_is_answered_as_by_the_packed_graph(every_encoder, make):
    before, after = session_of(make(every_encoder)), session_of(branched(make(every_encoder)))
    random = np.random.default_rng(2)
    for length in (1, 2, 7, 33, every_encoder.info.positions):
        ids = random.integers(0, every_encoder.info.vocabulary, (1, length))
        mask = np.full_like(ids, random.choice([1, 7, -1]))
        assert_same(all_outputs(after, ids, mask), all_outputs(before, ids, mask))


def test_a_text_alone_is_torchs(every_encoder):
    model = pooled(every_encoder)
    pack.pack(model)
    session = session_of(branched(model))
    ids = np.random.default_rng(3).integers(0, every_encoder.info.vocabulary, (1, 11))
    mask = np.ones_like(ids)
    np.testing.assert_allclose(
        all_outputs(session, ids, mask)[0], every_encoder.original(ids, mask), atol=1e-5
    )


@pytest.mark.parametrize("quantized", [False, True], ids=["float", "int8"])
def test_several_layers_and_poolings(made, quantized):
    def build_one():
        model = several.with_head(made, projected=True)
        if quantized:
            quantize.quantize(model, several.plan_of(made, several.with_head(made, projected=True)))
        return model

    before, after = session_of(build_one()), session_of(branched(build_one()))
    random = np.random.default_rng(4)
    for length in (1, 5, 40):
        ids = random.integers(0, made.info.vocabulary, (1, length))
        assert_same(*(all_outputs(one, ids, np.ones_like(ids)) for one in (after, before)))


@pytest.fixture(scope="module")
def pair(mean):
    """The int8 graph's branch for padding by itself, and both branches."""
    alone = branched(int8(mean))
    assert padded.padded(alone) == 1
    return session_of(alone), session_of(branched(int8(mean)))


@settings(max_examples=100, deadline=None)
@given(
    batch=st.integers(0, 4),
    sequence=st.integers(1, 20),
    seed=st.integers(0, 999),
    share=st.sampled_from([0, 0.5, 1]),
)
def test_any_mask_and_batch(mean, pair, batch, sequence, seed, share):
    random = np.random.default_rng(seed)
    ids = random.integers(0, mean.info.vocabulary, (batch, sequence))
    mask = (random.random((batch, sequence)) < share).astype(np.int64)
    for mine, theirs in zip(*(all_outputs(one, ids, mask) for one in pair), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ([[1, 1, 1]], "unpadded"),
        ([[5, -1, 1]], "unpadded"),
        ([[1]], "unpadded"),
        ([[1, 1], [1, 1]], "unpadded"),
        ([[1], [3]], "unpadded"),
        ([[1, 1, 0]], "padded"),
        ([[0, 1, 1]], "padded"),
        ([[0, 0]], "padded"),
        ([[1, 1], [1, 0]], "padded"),
        ([[0]], "padded"),
        ([[1], [0]], "padded"),
    ],
)
def test_which_branch_a_mask_takes(mean, tmp_path, mask, expected):
    mask = np.array(mask)
    assert branch_of(branched(int8(mean)), tmp_path, np.full_like(mask, 6), mask) == expected


@wrong_input
def test_wrong_input_is_an_error_in_both(pair, ids, mask):
    for session in pair:
        with pytest.raises((Fail, InvalidArgument)):
            all_outputs(session, ids, mask)


def test_the_branches_share_the_weights(mean):
    plain, model = int8(mean), branched(int8(mean))
    sizes = [
        {name: value.const_value.nbytes for name, value in one.graph.initializers.items()}
        for one in (plain, model)
    ]
    weights = [{name for name in one if name.endswith("_weight_s8")} for one in sizes]
    assert weights[0] == weights[1]
    assert len(weights[0]) > 0
    assert sum(sizes[1].values()) - sum(sizes[0].values()) < 1000
    (chosen,) = ops.nodes_of(model.graph, "If")
    single = chosen.attributes["then_branch"].as_graph()
    assert not single.initializers
    left = {str(node.name) for node in single if "layout" in str(node.name)}
    assert left == {"unpadded_layout_negative_ids", "unpadded_layout_token_ids"}
    assert not {node.op_type for node in single} & {"GatherND", "CumSum", "NonZero"}
    # A view each, and no layout: gamma and beta are of the last of two dimensions.
    readers = {
        kind: {use.node.op_type for node in single if node.op_type == kind for use in node.outputs[0].uses()}
        for kind in ("Flatten", "Reshape")
    }
    assert readers == {"Flatten": {"BatchNormalization"}, "Reshape": {"QAttention", "Add", "MatMul"}}


def _attentions(model):
    (chosen,) = ops.nodes_of(model.graph, "If")
    return [len(ops.nodes_of(branch.as_graph(), "QAttention")) for branch in chosen.attributes.values()]


@pytest.mark.parametrize("mode", ["int8x2", "float"])
def test_a_projection_in_another_form_keeps_its_attention(mean, mode):
    def build_one():
        model = packed_with_head(mean)
        quantize.quantize(model, plan_of(mean).with_mode("layer_1_qkv", mode))
        return model

    model = branched(build_one())
    assert sorted(_attentions(model)) == [0, 1]
    before, after = session_of(build_one()), session_of(model)
    ids = np.random.default_rng(5).integers(0, mean.info.vocabulary, (3, 21))
    assert_same(*(all_outputs(one, ids, np.ones_like(ids)) for one in (after, before)))


@pytest.mark.parametrize(
    "form",
    [plan_of, lambda made: busy(plan_of(made)), bare, lambda made: busy(bare(made))],
    ids=["plain", "busy", "bare", "bare and busy"],
)
def test_both_branches_say_the_same_to_the_bit(deep, form):
    """Of each text in a batch without padding, and of it beside a longer one."""
    model = packed_with_head(deep)
    quantize.quantize(model, form(deep))
    branched(model)
    # The last layer's attention is of the CLS rows alone.
    assert sorted(_attentions(model)) == [0, deep.info.layers - 1]
    session, random = session_of(model), np.random.default_rng(6)
    for length in (1, 2, 3, 7, 16, 17, 63):
        ids = random.integers(0, deep.info.vocabulary, (4, length + 1))
        mask = np.ones_like(ids)
        mask[:3, length:] = 0
        together = all_outputs(session, ids, mask)
        unpadded_ids = ids[:3, :length]
        for mine, theirs in zip(
            all_outputs(session, unpadded_ids, np.ones_like(unpadded_ids)), together, strict=True
        ):
            np.testing.assert_array_equal(mine, theirs[:3])


def test_a_graph_that_is_not_packed_is_refused(mean):
    with pytest.raises(GraphError, match="no node position_embedding_rows; `pack` must come before"):
        unpadded.unpadded(pooled(mean))


def test_the_padded_branch_by_itself_says_the_same(mean):
    model = branched(int8(mean))
    whole = session_of(model)
    assert padded.padded(model) == 1
    legal.check(model)
    assert not {"If", "QAttention"} & {node.op_type for node in model.graph.all_nodes()}
    left, random = session_of(model), np.random.default_rng(7)
    for shape in ((0, 4), (1, 9), (3, 9)):
        ids = random.integers(0, mean.info.vocabulary, shape)
        for mask in (np.ones_like(ids), random.integers(0, 2, shape)):
            for mine, theirs in zip(all_outputs(left, ids, mask), all_outputs(whole, ids, mask), strict=True):
                np.testing.assert_array_equal(mine, theirs)
    assert padded.padded(model) == 0


def test_another_choice_is_not_taken_for_a_branch(mean):
    model = branched(int8(mean))
    output = model.graph.outputs.pop()
    assert output.producer().op_type == "If"
    with pytest.raises(GraphError, match="found 1 If, expected one, which makes all outputs"):
        padded.padded(model)
