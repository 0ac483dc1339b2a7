"""Pruning: which rows the last layer runs on, where its weights went, and the graphs refused."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx_ir as ir
import pytest

from core.errors import GraphError
from graphs.edit import legal, ops
from graphs.head import merge
from graphs.packed import prune
from tests.support.graphs import (
    answer,
    linear_head,
    operators_of_layer,
    packed,
    pooled,
    pruned,
    run,
    session_of,
    unfused,
)
from tests.support.masks import KINDS, batch_of

# Attention of the CLS rows alone; the feed-forward as it was.
ATTENTION = {"Gather": 3, "Gemm": 2, "Reshape": 3, "Unsqueeze": 1, "Mul": 1, "Add": 3, "Transpose": 1}
ATTENTION |= {"MatMul": 2, "Softmax": 1}
FEED_FORWARD = {"Gemm": 3, "Add": 2, "LayerNormalization": 2, "Gelu": 1}
LAST = Counter(ATTENTION) + Counter(FEED_FORWARD)


@pytest.fixture(params=[("cls", False), ("cls", True), ("mean", True), ("deep", False), ("deep", True)])
def with_cls(request):
    export, normalize = request.param
    return request.getfixturevalue(export).with_pooling("cls", normalize)


def weights_of(model):
    """Every Gemm's weight and bias, by its name."""
    return {
        node.name: [ops.array_of(value) for value in node.inputs[1:]]
        for node in ops.nodes_of(model.graph, "Gemm")
    }


def rows_of_gemms(model, ids, attention_mask):
    """How many rows each Gemm answers for a batch, seen in the runtime."""
    values = [node.outputs[0] for node in ops.nodes_of(model.graph, "Gemm")]
    for value in values:
        ops.typed(value, ir.DataType.FLOAT, ["rows", "columns"])
    names = [value.name for value in values]
    model.graph.outputs.extend(values)
    return dict(zip(names, map(len, run(model, ids, attention_mask, names)), strict=True))


def test_the_operators_of_the_last_layer(with_cls):
    layers, model, before = with_cls.info.layers, unfused(with_cls), unfused(with_cls)
    assert prune.prune(model, layers) == 1
    legal.check(model)
    assert operators_of_layer(model, layers - 1) == LAST
    assert "pooled" not in {node.name for node in model.graph}
    for number in range(layers - 1):
        both = [
            [(n.name, n.op_type) for n in graph if str(n.name).startswith(f"layer_{number}_")]
            for graph in (before.graph, model.graph)
        ]
        assert both[0] == both[1]


def test_the_last_layer_runs_on_one_row_a_text(with_cls):
    ids, attention_mask = batch_of(with_cls, "holes", 5, 13, seed=1)
    tokens, last = int(attention_mask.sum()), with_cls.info.layers - 1
    expected = {
        f"layer_{number}_{name}": tokens
        for number in range(last)
        for name in ("qkv", "attention_output", "up", "down")
    }
    expected |= {f"layer_{last}_{name}": 5 for name in ("query_only", "attention_output", "up", "down")}
    expected[f"layer_{last}_key_value"] = tokens
    assert rows_of_gemms(pruned(with_cls), ids, attention_mask) == expected
    before = rows_of_gemms(unfused(with_cls), ids, attention_mask)
    assert before == dict.fromkeys(before, tokens)


def test_the_weights_are_split_into_query_and_the_rest(with_cls):
    hidden, layer = with_cls.info.hidden, f"layer_{with_cls.info.layers - 1}"
    before, after = weights_of(unfused(with_cls)), weights_of(pruned(with_cls))
    weight, bias = before.pop(f"{layer}_qkv")
    query, key_value = after.pop(f"{layer}_query_only"), after.pop(f"{layer}_key_value")
    for found, expected in (
        (query, (weight[:, :hidden], bias[:hidden])),
        (key_value, (weight[:, hidden:], bias[hidden:])),
    ):
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_array_equal(a, b)
    assert list(after) == list(before)
    for name, arrays in after.items():
        for a, b in zip(arrays, before[name], strict=True):
            np.testing.assert_array_equal(a, b)
    assert not [name for name in pruned(with_cls).graph.initializers if name.startswith(f"{layer}_qkv")]


@pytest.mark.parametrize("kind", KINDS)
def test_it_changes_no_answer(with_cls, kind):
    ids, attention_mask = batch_of(with_cls, kind, 5, 13, seed=2)
    attention_mask[3] = 0
    sessions = [session_of(model) for model in (unfused(with_cls), pruned(with_cls))]
    before, after = (answer(session, ids, attention_mask) for session in sessions)
    np.testing.assert_allclose(after, before, rtol=0, atol=2e-6)


def test_the_sentence_embedding_stays_an_output_beside_the_heads(with_cls):
    ids, attention_mask = batch_of(with_cls, "right", 4, 9, seed=3)
    model = unfused(with_cls)
    embedding = merge.embedding_of(model)
    dtype, shape = embedding.dtype, embedding.shape
    merge.stacked(model, linear_head(["joy", "anger"], with_cls.info.hidden))
    model.graph.outputs.append(embedding)
    prune.prune(model, with_cls.info.layers)
    legal.check(model)
    names = ["logits", "probabilities", "predictions", "sentence_embedding"]
    assert [value.name for value in model.graph.outputs] == names
    output = model.graph.outputs[-1]
    assert (output.dtype, output.shape) == (dtype, shape)
    assert [str(dim) for dim in output.shape] == ["batch", str(with_cls.info.hidden)]
    found = run(model, ids, attention_mask, ["sentence_embedding"])[0]
    np.testing.assert_allclose(found, with_cls.original(ids, attention_mask), rtol=0, atol=1e-5)


def refused(model, layers, message):
    before = ir.to_proto(model).SerializeToString()
    with pytest.raises(GraphError, match=message):
        prune.prune(model, layers)
    assert ir.to_proto(model).SerializeToString() == before


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (pooled, "no node layer_2_qkv; `pack` must come before"),
        (packed, "no node layer_2_attention_output; `unfuse` must come before"),
        (pruned, "no node pooled; `pool` must come before"),
    ],
)
def test_prune_refuses_a_graph_that_is_not_packed_and_unfused_or_was_pruned(deep, stage, message):
    refused(stage(deep), 3, message)


def test_prune_refuses_mean_pooling(mean):
    normalized = unfused(mean.with_pooling("mean", True))
    refused(normalized, 2, "no node pooled; `pool` must come before")
    divided = unfused(mean.with_pooling("mean", False))
    refused(divided, 2, "pooled: expected a gather of the rows' first tokens")


@pytest.mark.parametrize("layers", [0, 4])
def test_prune_refuses_a_layer_that_is_not_there(deep, layers):
    refused(unfused(deep), layers, f"no node layer_{layers - 1}_qkv; `pack` must come before")


def test_prune_refuses_a_layer_that_is_not_the_last(deep):
    with pytest.raises(GraphError, match="expected a token-wise operator before the pooling"):
        prune.prune(unfused(deep), 2)
