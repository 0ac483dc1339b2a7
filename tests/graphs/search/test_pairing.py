"""Channels are made neighbours so that scales become finer, and only where nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from graphs.int8 import channel_order, quantize
from graphs.search import pairing, schemes
from tests.support.factories import random_tokens
from tests.support.quantization import (
    all_in,
    busy,
    int8,
    packed_with_head,
    plan_of,
    probabilities,
)


def scales(made, plan):
    """The scales of all columns of a quantized graph, one after another."""
    model = packed_with_head(made)
    quantize.quantize(model, plan)
    arrays = [
        value.const_value.numpy()
        for name, value in sorted(model.graph.initializers.items())
        if name.endswith("_weight_scale")
    ]
    return np.concatenate([array.ravel() for array in arrays])


@pytest.mark.parametrize("width", [1, 2, 9, 40])
def test_an_exchanged_order_is_one_of_all_channels_and_loses_less(width):
    loss = np.random.default_rng(width).uniform(0, 1, (width, width))
    loss = loss + loss.T
    order = pairing.exchanged(loss)
    assert sorted(order.tolist()) == list(range(width))
    rows = width // 2 * 2
    before, after = (loss[some[:rows:2], some[1:rows:2]].sum() for some in (np.arange(width), order))
    assert after <= before
    if width == 40:
        assert after < 0.5 * before
    np.testing.assert_array_equal(order, pairing.exchanged(loss))


def test_two_channels_that_fit_stay_neighbours():
    assert pairing.exchanged(np.zeros((6, 6))).tolist() == list(range(6))


@pytest.mark.parametrize("change", [lambda p: p, busy], ids=["plain", "float and split channels"])
def test_a_paired_plan_has_finer_scales_and_answers_alike(any_encoder, change):
    plan = change(plan_of(any_encoder))
    paired = pairing.paired(packed_with_head(any_encoder), plan)
    assert paired.order
    assert scales(any_encoder, paired).mean() < scales(any_encoder, plan).mean()
    ids, mask = random_tokens(12, 30, any_encoder.info.vocabulary, seed=6)
    plain, other = (probabilities(int8(any_encoder, lambda _, p=p: p), ids, mask) for p in (plan, paired))
    assert 0 < abs(plain - other).max() < 0.1


def test_channels_in_float32_stay_last(mean):
    plan = busy(plan_of(mean))
    for name, own in pairing.paired(packed_with_head(mean), plan).activations.items():
        if own.float_channels and own.order:
            last = len(own.float_channels)
            assert own.order[-last:] == tuple(range(len(own.order) - last, len(own.order))), name


def test_only_what_has_a_scale_to_both_sides_is_negated(mean):
    simplified = packed_with_head(mean)
    bare = pairing.paired(simplified, plan_of(mean, scheme=schemes.cheaper("bare")[0])).activations
    for name, own in bare.items():
        assert not own.negated or name.endswith("attention_output")
    full = pairing.paired(simplified, plan_of(mean)).activations
    assert any(own.negated for name, own in full.items() if name.endswith("_up"))
    assert not any(own.negated for name, own in full.items() if name.endswith("_down"))
    floats = pairing.paired(simplified, all_in(plan_of(mean), "float")).activations
    assert not any(own.negated or own.order for own in floats.values())


def test_heads_keep_their_channels(cls):
    width = channel_order.head_width(packed_with_head(cls).graph)
    paired = pairing.paired(packed_with_head(cls), plan_of(cls))
    order = np.array(paired.activations["layer_0_attention_output"].order)
    assert (order // width == np.arange(len(order)) // width).all()


def test_pairing_twice_is_pairing_once(mean):
    simplified = packed_with_head(mean)
    once = pairing.paired(simplified, plan_of(mean))
    twice = pairing.paired(simplified, once)
    assert (once.order, once.activations.keys()) == (twice.order, twice.activations.keys())
    assert all(own.order == twice.activations[name].order for name, own in once.activations.items())
