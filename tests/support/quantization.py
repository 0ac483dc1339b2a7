"""Packed graphs with a head, and plans for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from core.build.plan import QuantizationPlan
from graphs.head import merge
from graphs.int8 import calibration, quantize
from graphs.packed import pack, prune, unfuse
from graphs.search import initial_plan, schemes
from graphs.search.schemes import FULL, Scheme
from tests.support.graphs import Exported, linear_head, pooled, run

LABELS = ["joy", "anger", "fear", "love", "pride", "neutral"]


def packed_with_head(made: Exported) -> ir.Model:
    model = pooled(made)
    merge.stacked(model, linear_head(LABELS, made.info.hidden))
    pack.pack(model)
    unfuse.unfuse(model)
    if made.info.pooling == "cls":
        prune.prune(model, made.info.layers)
    return model


def int8(
    made: Exported, change: Callable[[QuantizationPlan], QuantizationPlan] = lambda plan: plan
) -> ir.Model:
    """A packed graph with a head, in int8 by its own plan after `change`."""
    model = packed_with_head(made)
    quantize.quantize(model, change(plan_of(made)))
    return model


def random_ids(made: Exported, count: int = 60, seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    lengths = random.integers(1, made.info.positions + 1, count)
    return [random.integers(0, made.info.vocabulary, length).astype(np.int32) for length in lengths]


def plan_of(made: Exported, ids: list[np.ndarray] | None = None, scheme: Scheme = FULL) -> QuantizationPlan:
    model = packed_with_head(made)
    observed = calibration.calibrate(model, random_ids(made) if ids is None else ids)
    return initial_plan.initial_plan(model, observed, "e" * 64, "h" * 64, scheme)


def bare(made: Exported) -> QuantizationPlan:
    """The plan of the cheapest scheme, in which normalizations' outputs have one scale for all channels."""
    return plan_of(made, scheme=schemes.cheaper("bare")[0])


def busy(plan: QuantizationPlan) -> QuantizationPlan:
    """The same plan with float channels after each GELU, and split ones everywhere."""
    activations = {
        name: replace(
            activation, float_channels=(1, 4, 7) if name.endswith("down") else (), split_channels=(0, 2, 5)
        )
        for name, activation in plan.activations.items()
    }
    return replace(plan, activations=activations)


def wide(plan: QuantizationPlan) -> QuantizationPlan:
    """The same plan with ranges so wide that nothing is cut off."""
    activations = {}
    for name, activation in plan.activations.items():
        span = activation.range.high_k - activation.range.low_k
        limits = replace(
            activation.range, low_k=activation.range.low_k - span, high_k=activation.range.high_k + span
        )
        activations[name] = replace(activation, range=limits)
    return replace(plan, activations=activations)


def all_in(plan: QuantizationPlan, mode: str) -> QuantizationPlan:
    return replace(
        plan,
        activations={name: replace(activation, mode=mode) for name, activation in plan.activations.items()},
    )


def probabilities(model: ir.Model, ids, mask) -> np.ndarray:
    return run(model, ids, mask, ["probabilities"])[0]
