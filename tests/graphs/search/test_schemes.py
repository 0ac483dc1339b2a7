"""The cheaper schemes of a plan: what they leave out, that they are right, and which one a search takes."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import onnx_ir as ir
import pytest
from rich.console import Console

from core.errors import GraphError
from graphs.edit import ops
from graphs.int8 import calibration, quantize
from graphs.int8.scales import gelu_zero_point, shared_scale
from graphs.search import frontier, initial_plan, schemes, search
from graphs.search.evaluator import Evaluation
from graphs.search.schemes import FULL
from tests.support.factories import random_tokens
from tests.support.graphs import run
from tests.support.quantization import packed_with_head, plan_of, probabilities, random_ids


@pytest.fixture(scope="module", autouse=True)
def float_channels():
    """One channel in 12 after GELU in float32: these encoders are too narrow for one in 96."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(initial_plan, "_FLOAT_SHARE", 12)
        yield


@pytest.fixture(scope="module")
def observed(mean):
    """What calibration saw, but for two channels after each GELU that are ten times as large."""
    found = calibration.calibrate(packed_with_head(mean), random_ids(mean))
    for name in [name for name in found if name.endswith("down")]:
        limits = found[name].range
        high_k = limits.high_k + np.float32(3)
        high_k[:2] = 60
        found[name] = replace(found[name], range=replace(limits, high_k=high_k))
    return found


def plan_in(mean, observed, scheme):
    return initial_plan.initial_plan(packed_with_head(mean), observed, "e" * 64, "h" * 64, scheme)


def steps_after_gelu(model):
    return [node.name for node in model.graph if node.op_type == "Mul" and node.name.endswith("down_steps")]


def test_forms_are_in_the_order_of_cost_and_begin_where_they_are_told():
    costs = [scheme.cost for scheme in schemes.cheaper("bare")]
    assert costs == sorted(costs)
    assert costs[-1] < FULL.cost
    assert {scheme.form for scheme in schemes.cheaper("shared")} == {"shared"}
    assert schemes.cheaper("full") == ()
    assert {scheme.form for scheme in schemes.cheaper("parts")} == {"parts", "shared"}
    names = [scheme.name for scheme in (*schemes.cheaper("bare"), FULL)]
    assert len(set(names)) == len(names)


def float_channels_by_hand(mean, name, limits):
    """One channel in 12, of those whose rounding moves the layer's output most: range times weights' norm."""
    weight = ops.array_of(packed_with_head(mean).graph.node(name).inputs[1]).astype(np.float64)
    effect = (limits.high_k - limits.low_k) * np.sqrt((weight**2).sum(axis=1))
    return set(np.argsort(effect)[len(effect) - len(effect) // 12 :].tolist())


def least_range_by_hand(high_k, count):
    """The least r so that `count` more channels of r reach all of `high_k`, and which have them."""
    pieces = np.arange(1, 200)
    least = min(
        r
        for r in (high_k[:, None].astype(np.float64) / pieces).ravel()
        if np.maximum(np.ceil(high_k / r - 1e-9) - 1, 0).sum() <= count
    )
    more = np.maximum(np.ceil(high_k / least - 1e-9) - 1, 0).astype(int)
    return least, [channel for channel, number in enumerate(more) for _ in range(number)]


@pytest.mark.parametrize("scheme", schemes.cheaper("bare"), ids=lambda scheme: scheme.name)
def test_one_scale_after_gelu_and_what_else_is_left_out(mean, observed, scheme, monkeypatch):
    # One overflow channel in 8: one in 32 of these narrow layers is a single one.
    monkeypatch.setattr(initial_plan, "_OVERFLOW_SHARE", 8)
    for name, activation in plan_in(mean, observed, scheme).activations.items():
        assert not activation.split_channels
        assert activation.normalized == (scheme.form == "bare" and name.endswith(("qkv", "up")))
        if not name.endswith("down"):
            assert not activation.float_channels
            continue
        limits = observed[name].range
        kept = np.full(len(limits.high_k), True)
        if scheme.form == "shared":
            assert set(activation.float_channels) == float_channels_by_hand(mean, name, limits)
            kept[list(activation.float_channels)] = False
        else:
            assert not activation.float_channels
        high, more = (limits.high_k * np.float32(scheme.gelu_share))[kept].max(), []
        if scheme.form == "parts":
            high, more = least_range_by_hand(limits.high_k * np.float32(scheme.gelu_share), len(kept) // 8)
            assert len(more) > 1
        assert list(activation.overflow.channels) == more
        np.testing.assert_allclose(activation.range.high_k, high, rtol=1e-6)
        # 255 levels from -0.17, the least value of GELU, to the highest; that at 0 is one of them.
        zero = int(np.ceil(255 * 0.17 / (high + 0.17)))
        assert gelu_zero_point(activation) == zero
        assert shared_scale(activation, "gelu") == pytest.approx(
            max(high / (255 - zero), 0.17 / zero), rel=1e-6
        )
        assert shared_scale(replace(activation, mode="int8x2"), "gelu") == 1


def test_the_shared_scale_is_what_rounding_divides_by(mean, observed):
    plan = plan_in(mean, observed, schemes.cheaper("shared")[0])
    model = packed_with_head(mean)
    quantize.quantize(model, plan)
    assert not steps_after_gelu(model)
    named = {node.name: node.outputs[0] for node in model.graph}
    gelu, rounded = named["layer_0_gelu"], named["layer_0_down_u8"]
    model.graph.outputs.append(ops.typed(gelu, ir.DataType.FLOAT, ["t", "k"]))
    model.graph.outputs.append(ops.typed(rounded, ir.DataType.UINT8, ["t", "k"]))
    ids, mask = random_tokens(6, 30, mean.info.vocabulary, holes=True, seed=3)
    floats, integers = run(model, ids, mask, [gelu.name, rounded.name])
    step = shared_scale(plan.activations["layer_0_down"], "gelu")
    expected = np.clip(np.rint(floats / step) + gelu_zero_point(plan.activations["layer_0_down"]), 0, 255)
    np.testing.assert_array_equal(integers, expected)
    assert len(np.unique(integers)) > 5


def test_a_shared_scale_does_not_depend_on_the_batch(mean, observed):
    model = packed_with_head(mean)
    quantize.quantize(model, plan_in(mean, observed, schemes.cheaper("parts")[0]))
    ids, mask = random_tokens(7, 40, mean.info.vocabulary, seed=5)
    together = probabilities(model, ids, mask)
    for row in range(len(ids)):
        length = int(mask[row].sum())
        alone = probabilities(model, ids[row : row + 1, :length], mask[row : row + 1, :length])
        np.testing.assert_allclose(together[row], alone[0], atol=1e-6)


class ByChannels:
    """Judges a graph by its float channels and steps after GELU: what is missing costs flips."""

    ids = (np.zeros(3, np.int32),) * 10**6

    def __init__(self, without_float, without_steps, without_gamma=0.05):
        self.without_float, self.without_steps = without_float, without_steps
        # Of the bare scheme alone.
        self.without_gamma = without_gamma

    @staticmethod
    def has_bare(graph):
        """Whether a normalization is not followed by its gamma and beta."""
        instances, scaled = (
            len(ops.nodes_of(graph, op_type)) for op_type in ("InstanceNormalization", "BatchNormalization")
        )
        return instances > scaled

    def evaluate(self, model, count=None):
        shared = [
            v.const_value.numpy() for k, v in model.graph.initializers.items() if k.endswith("down_step")
        ]
        kept = any("down_float" in node.name for node in model.graph)
        rate = 0.01 + self.without_float * (not kept) + self.without_steps * bool(shared)
        rate += self.without_gamma * self.has_bare(model.graph)
        # Of one scheme, the widest step is the best.
        return Evaluation(rate, float(1 / max(shared)) if shared else 0.5)

    def speeds(self, models):
        return dict.fromkeys(models, 100.0)


@pytest.mark.parametrize(
    ("without_float", "without_steps", "without_gamma", "budget", "chosen"),
    [
        (0.01, 0.01, 0.01, 0.05, "bare"),
        (0.01, 0.01, 0.05, 0.05, "parts"),
        (0.05, 0.01, 0.01, 0.05, "shared"),
        (0.05, 0.05, 0.01, 0.05, "full"),
    ],
)
def test_a_search_takes_the_cheapest_scheme_that_is_inside(
    mean, observed, without_float, without_steps, without_gamma, budget, chosen
):
    evaluator = ByChannels(without_float, without_steps, without_gamma)
    plans = {scheme: plan_in(mean, observed, scheme) for scheme in schemes.cheaper("bare")}
    base = plan_in(mean, observed, FULL)
    found, _, points = search.search(
        packed_with_head(mean), base, evaluator, evaluator, budget, Console(file=io.StringIO()), plans
    )
    best = frontier.chosen(points)
    expected = FULL if chosen == "full" else schemes.cheaper(chosen)[0]
    assert best.name == expected.name
    assert found.activations == (base if chosen == "full" else plans[expected]).activations
    # All schemes of a cost were looked at, and none that costs more than what was found.
    seen = {point.name for point in points if point.cost <= FULL.cost}
    assert seen == {scheme.name for scheme in (*plans, FULL) if scheme.cost <= best.cost}


def test_a_search_from_a_scheme_that_nothing_meets_is_an_error(mean, observed):
    evaluator = ByChannels(0.5, 0.5)
    plans = {scheme: plan_in(mean, observed, scheme) for scheme in schemes.cheaper("shared")}
    with pytest.raises(GraphError, match="no quantization found within a flip rate of 0 "):
        search.search(
            packed_with_head(mean),
            plan_of(mean),
            evaluator,
            evaluator,
            0.0,
            Console(file=io.StringIO()),
            plans,
        )
