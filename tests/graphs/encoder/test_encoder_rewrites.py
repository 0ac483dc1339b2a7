"""Fusing, the mask, the embeddings and pooling: which operators stand at the end, and torch's answers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx_ir as ir
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import GraphError
from graphs.edit import legal, ops
from graphs.encoder import embeddings, fuse, mask, pool
from tests.support.factories import random_tokens
from tests.support.graphs import pooled, run

TOLERANCE = 1e-5


def vocabulary(made):
    return made.info.vocabulary


def test_every_layer_is_fused(any_encoder):
    layers = any_encoder.info.layers
    assert fuse.fuse(any_encoder.model()) == {
        "Attention": layers,
        "SkipLayerNormalization": 2 * layers,
        "BiasGelu": layers,
    }


def test_the_operators_that_are_left(mean):
    layers = mean.info.layers
    assert Counter(node.op_type for node in pooled(mean).graph) == {
        "Attention": layers,
        "SkipLayerNormalization": 2 * layers,
        "BiasGelu": layers,
        "MatMul": 3 * layers + 1,
        "LayerNormalization": 1,
        "Gather": 1,
        "Add": 1,
        "Shape": 1,
        "Slice": 1,
        "Cast": 2,
        "Unsqueeze": 1,
        "Squeeze": 1,
        "LpNormalization": 1,
    }


def test_no_type_table_and_no_dead_weight_is_left(any_encoder):
    model = pooled(any_encoder)
    names = list(model.graph.initializers)
    assert not [name for name in names if "token_type" in name or "position_ids" in name]
    used = {value.name for node in model.graph for value in node.inputs if value is not None}
    assert set(names) <= used


@settings(max_examples=25, deadline=None)
@given(batch=st.integers(1, 5), sequence=st.integers(1, 64), holes=st.booleans(), seed=st.integers(0, 999))
def test_random_masks_and_shapes_against_torch(mean_session, mean, batch, sequence, holes, seed):
    ids, attention_mask = random_tokens(batch, sequence, vocabulary(mean), holes=holes, seed=seed)
    found = mean_session.run(None, {"input_ids": ids, "attention_mask": attention_mask})[0]
    np.testing.assert_allclose(found, mean.original(ids, attention_mask), atol=TOLERANCE)


def test_each_rewrite_keeps_torchs_answers(any_encoder):
    ids, attention_mask = random_tokens(4, 9, vocabulary(any_encoder), seed=3)
    expected = any_encoder.original(ids, attention_mask)
    model = any_encoder.model()
    with torch.inference_mode():
        mask_tensor = torch.tensor(attention_mask)
        found = any_encoder.bert(torch.tensor(ids), attention_mask=mask_tensor)
        hidden = found.last_hidden_state.numpy()
    np.testing.assert_allclose(run(model, ids, attention_mask)[0], hidden, atol=TOLERANCE)
    for rewrite in (fuse.fuse, mask.mask, embeddings.embeddings):
        rewrite(model)
        legal.check(model)
        kept = attention_mask == 1
        after = run(model, ids, attention_mask)[0]
        np.testing.assert_allclose(after[kept], hidden[kept], atol=TOLERANCE)
    assert pool.pool(model, any_encoder.info.pooling, any_encoder.info.normalize) == 1
    np.testing.assert_allclose(run(model, ids, attention_mask)[0], expected, atol=TOLERANCE)


def test_mean_without_normalization_divides_by_the_count(mean):
    ids, attention_mask = random_tokens(3, 8, vocabulary(mean), seed=1)
    model = mean.model()
    hidden = run(model, ids, attention_mask)[0]
    pool.pool(model, "mean", False)
    rows = zip(hidden, attention_mask, strict=True)
    expected = np.stack([row[kept == 1].mean(axis=0) for row, kept in rows])
    np.testing.assert_allclose(run(model, ids, attention_mask)[0], expected, atol=1e-6)


def test_a_row_without_a_token_gives_finite_numbers_and_disturbs_no_other(any_encoder):
    ids, attention_mask = random_tokens(3, 6, vocabulary(any_encoder), seed=2)
    model = pooled(any_encoder)
    before = run(model, ids, attention_mask)[0]
    attention_mask[1] = 0
    after = run(model, ids, attention_mask)[0]
    assert np.isfinite(after).all()
    np.testing.assert_allclose(after[[0, 2]], before[[0, 2]], atol=1e-6)


def test_longer_than_the_encoder_is_an_error_of_the_runtime(any_encoder):
    length = any_encoder.info.positions + 1
    ids = np.ones((1, length), np.int64)
    with pytest.raises(Exception, match=r"position_embedding|embedding_sum|Add"):
        run(pooled(any_encoder), ids, ids)


def test_mask_refuses_a_graph_whose_bias_is_not_the_masks(any_encoder):
    model = any_encoder.model()
    fuse.fuse(model)
    mask.mask(model)
    with pytest.raises(GraphError, match=r"attention bias from \[\], expected the mask's"):
        mask.mask(model)


def test_embeddings_refuses_other_sums(any_encoder):
    model = any_encoder.model()
    word = next(v for n, v in model.graph.initializers.items() if n.endswith("word_embeddings.weight"))
    gather = word.uses()[0].node
    extra = ops.constant(model.graph, "extra", np.ones(any_encoder.info.hidden, np.float32))
    added = ops.node("Add", [gather.outputs[0], extra], "disturbed")
    model.graph.insert_after(gather, added)
    for use in [use for use in gather.outputs[0].uses() if use.node is not added]:
        use.node.replace_input_with(use.idx, added.outputs[0])
    with pytest.raises(GraphError, match="expected the embedding tables"):
        embeddings.embeddings(model)


def test_embeddings_refuses_a_graph_without_a_table(any_encoder):
    model = any_encoder.model()
    for name, value in list(model.graph.initializers.items()):
        if name.endswith("position_embeddings.weight"):
            value.name = "renamed"
    with pytest.raises(GraphError, match="found 0 initializers"):
        embeddings.embeddings(model)


def test_pool_refuses_another_output(mean):
    with pytest.raises(GraphError, match="expected last_hidden_state"):
        pool.pool(pooled(mean), "mean", True)


@pytest.mark.parametrize("length", [1, 64])
def test_shortest_and_longest(any_encoder, length):
    ids, attention_mask = random_tokens(2, length, vocabulary(any_encoder), seed=length)
    expected = any_encoder.original(ids, attention_mask)
    np.testing.assert_allclose(run(pooled(any_encoder), ids, attention_mask)[0], expected, atol=TOLERANCE)


def test_axes_are_dynamic_and_named(any_encoder):
    graph = pooled(any_encoder).graph
    assert [[str(dim) for dim in value.shape] for value in graph.inputs] == [["batch", "sequence"]] * 2
    assert [str(graph.outputs[0].shape[0])] == ["batch"]
    assert graph.outputs[0].dtype == ir.DataType.FLOAT
