"""Another order of the channels, and negated ones, change nothing but the order of sums."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest

from core.errors import GraphError
from graphs.edit import legal, ops
from graphs.head import merge
from graphs.int8 import activations, channel_order, overflow
from graphs.int8.smooth import smooth
from graphs.packed import pack, unfuse
from graphs.search import schemes
from tests.support.factories import random_tokens
from tests.support.graphs import linear_head, pooled
from tests.support.quantization import LABELS, busy, int8, packed_with_head, plan_of, probabilities


def shuffled(made, plan, seed=0):
    """The plan with a random order everywhere, and negated channels where there can be any."""
    random, heads = (
        np.random.default_rng(seed),
        made.info.hidden // channel_order.head_width(packed_with_head(made).graph),
    )
    sites = {}
    for name, own in plan.activations.items():
        width = len(own.range.low_k)
        if name.endswith("down"):
            free = width + len(own.overflow.channels) - len(own.float_channels)
            order = [*random.permutation(free).tolist(), *range(free, free + len(own.float_channels))]
            sites[name] = replace(own, order=tuple(order))
            continue
        negated = () if own.normalized else tuple(sorted(random.choice(width, width // 3, False).tolist()))
        order = np.concatenate(
            [random.permutation(width // heads) + start for start in range(0, width, width // heads)]
        )
        own_order = tuple(order.tolist()) if name.endswith("attention_output") else ()
        sites[name] = replace(own, negated=negated, order=own_order)
    return replace(plan, activations=sites, order=tuple(random.permutation(made.info.hidden).tolist()))


def ordered(made, plan):
    model = packed_with_head(made)
    plans = channel_order.reorder(model, plan, overflow.widen(model, smooth(model, plan)))
    legal.check(model)
    return model, plans


@pytest.mark.parametrize("change", [lambda p: p, busy], ids=["plain", "float and split channels"])
def test_an_order_and_signs_keep_torchs_answers(any_encoder, change):
    plan = shuffled(any_encoder, change(plan_of(any_encoder)))
    ids, mask = random_tokens(5, 20, any_encoder.info.vocabulary, holes=True, seed=4)
    head = linear_head(LABELS, any_encoder.info.hidden)
    expected = 1 / (1 + np.exp(-(any_encoder.original(ids, mask) @ head.weight_hl + head.bias_l)))
    model, plans = ordered(any_encoder, plan)
    np.testing.assert_allclose(probabilities(model, ids, mask), expected, atol=1e-5)
    assert not any(own.order for own in plans.values())


@pytest.mark.parametrize("scheme", schemes.cheaper("bare")[:3], ids=lambda scheme: scheme.name)
def test_rounded_in_another_order_a_graph_answers_alike(any_encoder, scheme):
    ids, mask = random_tokens(12, 30, any_encoder.info.vocabulary, seed=6)
    plan = plan_of(any_encoder, scheme=scheme)
    plain, other = (
        probabilities(int8(any_encoder, lambda _, made=made: made), ids, mask)
        for made in (plan, shuffled(any_encoder, plan))
    )
    assert 0 < abs(plain - other).max() < 0.1


def test_no_node_is_added(cls):
    plan = plan_of(cls)
    counts = [len(int8(cls, lambda _, made=made: made).graph) for made in (plan, shuffled(cls, plan))]
    assert counts[0] == counts[1]


def test_channels_are_where_the_order_says(mean):
    plan = shuffled(mean, plan_of(mean))
    plain = packed_with_head(mean)
    overflow.widen(plain, smooth(plain, plan))
    model, plans = ordered(mean, plan)
    before, after = (
        {found.name: ops.array(found.linears[0], 1) for found in activations.find(graph)}
        for graph in (plain, model)
    )
    down, up = "layer_0_down", "layer_0_up"
    hidden, own = list(plan.order), list(plan.activations[down].order)
    np.testing.assert_array_equal(after[down], before[down][own][:, hidden])
    np.testing.assert_array_equal(after[up], before[up][hidden][:, own])
    np.testing.assert_array_equal(plans[up].range.mean_k, plan.activations[up].range.mean_k[hidden])
    moved = {hidden.index(channel) for channel in plan.activations[up].negated}
    assert set(plans[up].negated) == moved


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: replace(p, order=(1, 0)), "order: found 2 channels, expected"),
        (
            lambda p: replace(
                p,
                activations={
                    name: replace(own, order=tuple(reversed(range(len(own.range.low_k)))))
                    if name == "layer_0_attention_output"
                    else own
                    for name, own in p.activations.items()
                },
            ),
            "layer_0_attention_output: order: expected each channel within its head",
        ),
    ],
)
def test_an_order_that_cannot_be_is_refused(mean, change, message):
    with pytest.raises(GraphError, match=message):
        ordered(mean, change(plan_of(mean)))


def test_a_hidden_state_in_an_output_has_no_order(mean):
    model = pooled(mean)
    embedding = merge.embedding_of(model)
    merge.stacked(model, linear_head(LABELS, mean.info.hidden))
    assert channel_order.can_reorder_hidden_state(packed_with_head(mean), mean.info.hidden)
    pack.pack(model)
    unfuse.unfuse(model)
    model.graph.outputs.append(ops.typed(embedding, ir.DataType.FLOAT, ["batch", mean.info.hidden]))
    assert not channel_order.can_reorder_hidden_state(model, mean.info.hidden)
