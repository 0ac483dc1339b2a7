"""The packed graph: which operators are left, and torch's answers whatever the mask's shape."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings

from graphs.edit import legal
from graphs.head import merge
from graphs.packed import pack
from tests.support.factories import random_tokens
from tests.support.graphs import (
    ATTENTION,
    answer,
    finished,
    linear_head,
    operators_of_layer,
    packed,
    pooled,
    pruned,
    session_of,
    unfused,
)
from tests.support.masks import KINDS, batch_of, batches

TOLERANCE = 1e-5
STAGES = {"packed": packed, "unfused": unfused, "finished": finished}


@pytest.fixture(scope="session", params=STAGES)
def session(request, every_encoder):
    return session_of(STAGES[request.param](every_encoder))


@pytest.fixture(scope="session")
def with_head(every_encoder):
    """A session whose only output are the probabilities."""
    model = finished(every_encoder)
    merge.stacked(model, linear_head(["joy", "anger", "neutral"], every_encoder.info.hidden))
    model.graph.outputs[:] = [value for value in model.graph.outputs if value.name == "probabilities"]
    return session_of(model)


def test_the_operators_that_are_left(every_encoder):
    layers, model = every_encoder.info.layers, packed(every_encoder)
    legal.check(model)
    for number in range(layers):
        assert operators_of_layer(model, number) == ATTENTION
    layout = [node for node in model.graph if str(node.name).startswith("layout_")]
    assert {node.domain for node in layout} == {""}
    rest = [node for node in model.graph if not str(node.name).startswith(("layout_", "layer_", "heads_"))]
    counts = Counter(node.op_type for node in rest)
    pooling = {"Gather": 1}
    if every_encoder.info.pooling == "mean":
        pooling = {"Gather": 1, "Cast": 1, "Unsqueeze": 1, "MatMul": 1, "Squeeze": 1}
        if not every_encoder.info.normalize:
            pooling |= {"ReduceSum": 1, "Max": 1, "Div": 1}
    if every_encoder.info.normalize:
        pooling["LpNormalization"] = 1
    embedding = {"Gather": 2, "Add": 1, "LayerNormalization": 1}
    fused = {"SkipLayerNormalization": 2 * layers, "BiasGelu": layers, "MatMul": 3 * layers}
    assert counts == Counter(pooling) + Counter(embedding) + Counter(fused)


def test_no_fused_operator_is_left_but_gelu(every_encoder):
    model = finished(every_encoder)
    legal.check(model)
    foreign = Counter((node.domain, node.op_type) for node in model.graph if node.domain)
    assert foreign == {("com.microsoft", "Gelu"): every_encoder.info.layers}
    used = {value.name for node in model.graph for value in node.inputs if value is not None}
    assert set(model.graph.initializers) <= used


@settings(max_examples=8, deadline=None)
@given(drawn=batches())
def test_any_mask_and_shape_against_torch(session, every_encoder, drawn):
    ids, attention_mask = batch_of(every_encoder, *drawn)
    expected = every_encoder.original(ids, attention_mask)
    np.testing.assert_allclose(answer(session, ids, attention_mask), expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("kind", KINDS)
def test_cls_is_a_rows_first_real_token(deep, kind):
    made = deep.with_pooling("mean", True)  # so that column 0 may be padding
    ids, attention_mask = batch_of(made, kind, 5, 11, seed=4)
    first = attention_mask.argmax(axis=1)
    expected = deep.last_hidden_state(ids, attention_mask)[np.arange(5), first]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    for model in (packed(deep), pruned(deep)):
        found = answer(session_of(model), ids, attention_mask)
        np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


@settings(max_examples=5, deadline=None)
@given(drawn=batches())
def test_a_text_alone_has_the_probabilities_it_has_in_a_batch(with_head, every_encoder, drawn):
    ids, attention_mask = batch_of(every_encoder, *drawn)
    together = answer(with_head, ids, attention_mask)
    assert together.shape == (len(ids), 3)
    for row, found in enumerate(together):
        alone = answer(with_head, ids[row : row + 1], attention_mask[row : row + 1])[0]
        np.testing.assert_allclose(alone, found, rtol=0, atol=1e-6)
        if attention_mask[row, 0]:
            # Without its padding: the columns up to its last token.
            end = attention_mask[row].nonzero()[0][-1] + 1
            cut = answer(with_head, ids[row : row + 1, :end], attention_mask[row : row + 1, :end])[0]
            np.testing.assert_allclose(cut, found, rtol=0, atol=1e-6)


def test_two_runs_give_the_same_bytes(every_encoder):
    first, second = (ir.to_proto(finished(every_encoder)).SerializeToString() for _ in range(2))
    assert first == second


def test_it_returns_the_number_of_attentions(any_encoder):
    assert pack.pack(pooled(any_encoder)) == any_encoder.info.layers


def test_axes_are_dynamic_and_named(every_encoder):
    graph = finished(every_encoder).graph
    assert [[str(dim) for dim in value.shape] for value in graph.inputs] == [["batch", "sequence"]] * 2
    (output,) = graph.outputs
    assert (output.name, output.dtype) == ("sentence_embedding", ir.DataType.FLOAT)
    assert [str(dim) for dim in output.shape] == ["batch", str(every_encoder.info.hidden)]


@pytest.mark.parametrize("length", [1, 64])
def test_shortest_and_longest(every_encoder, session, length):
    ids, attention_mask = random_tokens(2, length, every_encoder.info.vocabulary, seed=length)
    expected = every_encoder.original(ids, attention_mask)
    np.testing.assert_allclose(answer(session, ids, attention_mask), expected, rtol=0, atol=TOLERANCE)
