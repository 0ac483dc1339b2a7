"""Overflow channels: what they hold, what rounding makes of them, and the plans that have them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from core.build.plan import OverflowChannels
from core.errors import GraphError
from graphs.edit import ops
from graphs.int8 import calibration, overflow, quantize
from graphs.int8.scales import GELU_LEAST, gelu_zero_point, shared_scale
from graphs.search import initial_plan as initial
from graphs.search import schemes
from tests.support.factories import random_tokens
from tests.support.graphs import run
from tests.support.quantization import packed_with_head, probabilities, random_ids

ONE_SCALE = next(scheme for scheme in schemes.cheaper("parts") if scheme.gelu_share == 1)


def gelu(x):
    return x * ndtr(x)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(0, 12), outlier=st.floats(1, 40))
def test_a_channel_and_its_overflow_channels_add_up_to_gelu(seed, count, outlier):
    random = np.random.default_rng(seed)
    high_k = random.uniform(1, 5, 30).astype(np.float32)
    high_k[random.integers(0, 30)] = outlier
    held, made = overflow.choose(high_k, count)
    assert len(made.channels) <= count
    assert held <= high_k.max()
    assert count or held == high_k.max()
    for channel, high in enumerate(high_k):
        mine = [index for index, one in enumerate(made.channels) if one == channel]
        # What all of them hold reaches the channel's largest value.
        assert held * (1 + sum(1 / made.gain_o[index] for index in mine)) >= high * (1 - 1e-4)
        x = np.linspace(-6, high, 400)
        whole = np.minimum(gelu(x), held)
        for index in mine:
            gain = made.gain_o[index]
            whole += np.minimum(gelu(gain * (x - made.start_o[index])), held) / gain
        assert abs(whole - gelu(x)).max() < 0.17 * (1 + 1 / min(1.0, held)) + 1e-3
        far = np.all([abs(x - start) > 6 for start in made.start_o[mine]] or [x < np.inf], axis=0)
        np.testing.assert_allclose(whole[far & (x > 3)], gelu(x)[far & (x > 3)], atol=0.01)


def test_fewer_overflow_channels_hold_less():
    high_k = np.random.default_rng(0).exponential(2, 200).astype(np.float32)
    held = [overflow.choose(high_k, count)[0] for count in (0, 1, 2, 5, 20, 100)]
    assert held[0] == high_k.max()
    assert held == sorted(held, reverse=True)
    assert held[-1] < held[0] / 2


def with_outliers(made) -> ir.Model:
    """Two channels after each GELU are ten times as large as the others, and matter to the answer."""
    model = packed_with_head(made)
    for node in model.graph:
        if str(node.name).endswith("_up"):
            weight, bias = (ops.array_of(value).copy() for value in node.inputs[1:3])
            weight[:, [3, 8]] *= 25
            bias[[3, 8]] += 4
            for index, array in ((1, weight), (2, bias)):
                node.replace_input_with(index, ops.constant(model.graph, f"{node.name}_{index}", array))
    return model


@pytest.fixture(scope="module")
def planned(mean):
    """A plan with an overflow channel for four channels after GELU: the encoders here are narrow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(initial, "_OVERFLOW_SHARE", 4)
        model = with_outliers(mean)
        observed = calibration.calibrate(model, random_ids(mean, 200))
        return initial.initial_plan(model, observed, "e" * 64, "h" * 64, ONE_SCALE)


def quantized(made, chosen):
    model = with_outliers(made)
    quantize.quantize(model, chosen)
    return model


def without_overflow(chosen, high=None):
    """The plan with nothing to hold what is cut off, or with a scale that holds all."""
    found = {}
    for name, activation in chosen.activations.items():
        limits = activation.range
        if high is not None and activation.overflow.channels:
            limits = replace(limits, high_k=np.full_like(limits.high_k, high[name]))
        found[name] = replace(activation, overflow=OverflowChannels(), range=limits)
    return replace(chosen, activations=found)


def test_overflow_channels_keep_large_channels_and_small_scales(mean, planned):
    ids, mask = random_tokens(32, 30, mean.info.vocabulary, seed=6)
    expected = probabilities(with_outliers(mean), ids, mask)
    highest = {
        name: float(activation.range.high_k[0] * (1 + len(activation.overflow.channels)))
        for name, activation in planned.activations.items()
    }
    plans = {
        "overflow channels": planned,
        "cut off": without_overflow(planned),
        "one wide scale": without_overflow(planned, highest),
    }
    errors = {
        name: float(np.sqrt(((probabilities(quantized(mean, one), ids, mask) - expected) ** 2).mean()))
        for name, one in plans.items()
    }
    assert errors["overflow channels"] < 0.5 * errors["cut off"]
    assert errors["overflow channels"] < errors["one wide scale"]


def test_the_graph_has_no_node_more_and_wider_products(mean, planned):
    plain, model = quantized(mean, without_overflow(planned)), quantized(mean, planned)
    assert [node.op_type for node in model.graph] == [node.op_type for node in plain.graph]
    for number in range(mean.info.layers):
        count = len(planned.activations[f"layer_{number}_down"].overflow.channels)
        assert count > 0
        shapes = [
            [list(value.shape) for name, value in one.graph.initializers.items() if name == wanted]
            for wanted in (f"layer_{number}_up_weight_s8", f"layer_{number}_down_weight_s8")
            for one in (plain, model)
        ]
        (up,), (up_wide,), (down,), (down_wide,) = shapes
        assert up_wide == [up[0], up[1] + count]
        assert down_wide == [down[0] + count, down[1]]


def test_rounding_cuts_each_overflow_channel_off(mean, planned):
    model = quantized(mean, planned)
    rounded = next(node for node in model.graph if node.name == "layer_1_down_u8").outputs[0]
    model.graph.outputs.append(ops.typed(rounded, ir.DataType.UINT8, ["t", "k"]))
    ids, mask = random_tokens(32, 30, mean.info.vocabulary, seed=7)
    steps = run(model, ids, mask, [rounded.name])[0]
    activation = planned.activations["layer_1_down"]
    zero, width = gelu_zero_point(activation), len(activation.range.high_k)
    for index, channel in enumerate(activation.overflow.channels):
        held = steps[:, width + index] > zero + 1
        # It holds something only where its channel is close to the end of what that holds itself.
        assert (steps[held, channel] > 150).all()
    assert (steps[:, list(activation.overflow.channels)] == 255).any()


@pytest.mark.parametrize("high", [0.3, 1.0, 4.4, 30.0])
def test_the_zero_point_leaves_room_for_the_least_value_alone(planned, high):
    activation = planned.activations["layer_0_down"]
    activation = replace(
        activation, range=replace(activation.range, high_k=np.full_like(activation.range.high_k, high))
    )
    zero, step = gelu_zero_point(activation), shared_scale(activation, "gelu")
    assert -zero * step <= -GELU_LEAST
    assert (255 - zero) * step >= high * (1 - 1e-6)
    assert -(zero - 2) * step > -GELU_LEAST


def test_overflow_channels_in_two_terms_are_refused(mean, planned):
    with pytest.raises(GraphError, match="layer_0_down: found overflow channels, expected them after GELU"):
        quantized(mean, planned.with_mode("layer_0_down", "int8x2"))
    with_float = quantized(mean, planned.with_mode("layer_0_down", "float"))
    assert "layer_0_down_weight_s8" not in with_float.graph.initializers
