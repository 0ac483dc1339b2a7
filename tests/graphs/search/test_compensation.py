"""Roundings make up for one another: less error for activations and logits as they are, and pair-safe."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core import pairs
from core.build.plan import ActivationPlan, OverflowChannels, QuantizationPlan, Range
from core.build.sensitivity import LINEARS, Sensitivity
from core.errors import GraphError
from graphs.int8 import quantize, rounding
from graphs.search import columns, compensation, pairing, schemes
from tests.support.factories import random_tokens
from tests.support.quantization import (
    all_in,
    busy,
    int8,
    packed_with_head,
    plan_of,
    probabilities,
    random_ids,
)


def moment(random, width, rank):
    """The second moment of numbers that vary along some directions."""
    numbers = random.normal(size=(2000, rank)) @ random.normal(size=(rank, width))
    numbers += 0.1 * random.normal(size=numbers.shape)
    return (numbers.T @ numbers / len(numbers)).astype(np.float32)


def rounded(weight, taken):
    nearest, scale = rounding.round_columns(weight)
    free = rounding.free_places(nearest, weight / scale)
    assert not (taken & ~free).any()
    integers, _ = rounding.round_columns(weight, (), np.packbits(taken[free]))
    assert not pairs.unsafe(integers)
    return integers * scale - weight


@pytest.mark.parametrize(("rank", "share"), [(4, 0.05), (20, 0.5)])
def test_the_logits_lose_less(rank, share):
    random = np.random.default_rng(rank)
    weight = random.normal(size=(60, 40)).astype(np.float32)
    covariance, output = moment(random, 60, rank), moment(random, 40, rank)

    def lost(off):
        return float(np.trace(off.T @ covariance @ off @ output))

    both = rounded(weight, compensation.exchanged(weight, covariance, output))
    first = rounded(weight, compensation.exchanged(weight, covariance, np.eye(40)))
    nearest = rounded(weight, np.zeros(weight.shape, bool))
    assert lost(both) < share * lost(nearest)
    assert lost(both) < lost(first) < lost(nearest)


@pytest.mark.parametrize("seed", range(8))
def test_pairs_that_hardly_fit_stay_safe(seed):
    random = np.random.default_rng(seed)
    weight = random.choice([-1, 1], (13, 30)) * random.uniform(60, 70, (13, 30)).astype(np.float32)
    taken = compensation.exchanged(weight, moment(random, 13, 3), moment(random, 30, 3))
    assert taken.any()
    rounded(weight, taken)


def same(width):
    return Sensitivity(np.zeros((1, width), np.float32), np.ones(width, np.float32))


def sensitivities(made):
    """Of each linear layer the same for all columns."""
    hidden = made.info.hidden
    model = packed_with_head(made)
    inner = next(v for n, v in model.graph.initializers.items() if n.endswith("_up_weight")).shape[1]
    widths = {name: inner if name == "up" else hidden for name in LINEARS}
    return {
        f"layer_{layer}_{name}": same(width)
        for layer in range(made.info.layers)
        for name, width in widths.items()
    }


@pytest.mark.parametrize("known", [True, False], ids=["sensitivities", "none"])
def test_a_compensated_plan_answers_closer_to_float(any_encoder, known):
    simplified, ids = packed_with_head(any_encoder), random_ids(any_encoder, 200, seed=3)
    plan = pairing.paired(simplified, plan_of(any_encoder))
    measured = sensitivities(any_encoder) if known else {}
    found = compensation.compensated(simplified, plan, ids, measured)
    first = "layer_0_key_value" if any_encoder.info.pooling == "cls" else "layer_0_qkv"
    assert set(found.roundings) >= {first, "layer_0_up", "layer_0_down", "layer_0_attention_output"}
    tokens = random_tokens(40, 30, any_encoder.info.vocabulary, seed=8)
    exact = probabilities(simplified, *tokens)
    # Of two terms the activations' rounding is small: what is left is the weights'.
    twice = all_in(plan, "int8x2"), replace(all_in(plan, "int8x2"), roundings=found.roundings)
    errors = [
        np.square(probabilities(int8(any_encoder, lambda _, p=p: p), *tokens) - exact).mean() for p in twice
    ]
    assert errors[1] < errors[0]


@pytest.mark.parametrize("scheme", schemes.cheaper("bare")[::2], ids=lambda scheme: scheme.name)
def test_every_scheme_is_compensated(mean, scheme):
    simplified = packed_with_head(mean)
    plan = pairing.paired(simplified, plan_of(mean, scheme=scheme))
    found = compensation.compensated(simplified, plan, random_ids(mean), sensitivities(mean))
    quantize.quantize(packed_with_head(mean), found)
    assert len(found.roundings) == 4 * mean.info.layers


def test_split_weights_have_no_roundings(mean):
    simplified = packed_with_head(mean)
    assert not compensation.compensated(simplified, busy(plan_of(mean)), random_ids(mean), {}).roundings


def test_roundings_of_another_weight_are_refused_by_name(mean):
    plan = replace(plan_of(mean), roundings={"layer_1_up": np.zeros(3, np.uint8)})
    with pytest.raises(GraphError, match="layer_1_up: found 3 bytes of roundings, expected"):
        quantize.quantize(packed_with_head(mean), plan)


def numbered(width):
    """A sensitivity whose second moment tells the columns apart."""
    return Sensitivity(np.arange(1.0, width + 1, dtype=np.float32)[None], np.zeros(width, np.float32))


def limits(width):
    low, high = np.full(width, -1, np.float32), np.full(width, 1, np.float32)
    return Range(low, high, np.zeros(width, np.float32))


def test_columns_come_in_the_order_and_the_units_of_the_graph():
    context = ActivationPlan("int8", (), (), limits(4), order=(1, 0, 3, 2), negated=(2,))
    overflow = OverflowChannels((1, 1), np.ones(2, np.float32), np.array([1, 2], np.float32))
    down = ActivationPlan("int8", (), (), limits(3), overflow, order=(2, 3, 0, 1, 4))
    plan = QuantizationPlan(
        "e", "h", {"layer_0_attention_output": context, "layer_0_down": down}, {}, (3, 2, 1, 0)
    )
    known = {f"layer_0_{name}": numbered(3 if name == "up" else 4) for name in LINEARS}

    def root(linear):
        return np.sqrt(np.diag(columns.moment(plan, linear, known)))

    unit = 1 / 127
    assert root("layer_0_qkv") == pytest.approx([1, 2, 3, 4, 1, 2, 3, 4, *np.array([2, 1, 4, 3]) * unit])
    whole = columns.moment(plan, "layer_0_qkv", known)
    assert (whole[:8, 8:] == 0).all()
    assert (whole[:4, 4:8] == 0).all()
    # The scale of a negated channel is below zero.
    assert np.sign(whole[8, 8:]).tolist() == [1, 1, 1, -1]
    for linear in ("layer_0_attention_output", "layer_0_down"):
        assert root(linear) == pytest.approx([4, 3, 2, 1])
    seldom = np.sqrt(0.05)
    assert root("layer_0_up") == pytest.approx([3, 2 * seldom, 1, 2, seldom])
    assert columns.moment(plan, "layer_1_up", known) is None
    assert columns.moment(plan, "head", known) is None
