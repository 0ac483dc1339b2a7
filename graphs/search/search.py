"""Search for the fastest quantization within the recipe's flip rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from rich.console import Console

from core.build import plan as plan_file
from core.build.plan import QuantizationPlan
from core.disk.files import write_text
from core.errors import GraphError
from graphs.int8 import calibration
from graphs.job import Job
from graphs.search import frontier, schemes
from graphs.search.evaluator import Evaluator
from graphs.search.frontier import Point
from graphs.search.initial_plan import initial_plan
from graphs.search.pairing import paired
from graphs.search.schemes import FULL, Scheme
from graphs.search.upgrades import COST, SENSITIVITY_TEXTS, quantized, upgrades
from graphs.search.variation import varied


def within(rate: float, texts: int, budget: float) -> bool:
    """Whether a flip rate on so many texts is within a budget, two standard errors added."""
    return rate + 2 * float(np.sqrt(rate * (1 - rate) / texts)) <= budget


class Trail:
    """The candidates that a search has evaluated: their points, and their plans by name."""

    def __init__(
        self, simplified: ir.Model, evaluator: Evaluator, gate: Evaluator, budget: float, console: Console
    ) -> None:
        """Evaluate on the texts of `evaluator` and `gate`; inside is what is within `budget` on both."""
        self._simplified, self._evaluator, self._gate = simplified, evaluator, gate
        self._budget, self._console = budget, console
        self.points: list[Point] = []
        self.plans: dict[str, QuantizationPlan] = {}
        self._models: dict[str, ir.Model] = {}

    def see(self, name: str, candidate: QuantizationPlan, cost: float) -> bool:
        """Evaluate a candidate, print and keep what it came to; return whether it is inside."""
        model = quantized(self._simplified, candidate)
        held_out = self._evaluator.evaluate(model)
        rate, error = held_out.flip_rate, held_out.logit_error
        size = len(ir.to_proto(model).SerializeToString())
        gated = self._gate.evaluate(model).flip_rate
        inside = within(rate, len(self._evaluator.ids), self._budget) and gated <= self._budget
        self.points.append(Point(name, rate, gated, error, size, cost, 0.0, inside))
        self.plans[name], self._models[name] = candidate, model
        self._console.print(
            f"  search   {name:<34} flip rate {rate:.4f}, reference {gated:.4f}, {size / 1e6:.1f} MB"
        )
        return inside

    def timed(self) -> list[Point]:
        """Return the points with their speeds, measured in turn."""
        rates = self._evaluator.speeds(self._models)
        return [replace(point, texts_per_second=rates[point.name]) for point in self.points]


def _upgrade(
    trail: Trail, simplified: ir.Model, base: QuantizationPlan, evaluator: Evaluator, console: Console
) -> None:
    """Take up better modes, the cheapest gain first, until the plan is inside."""
    count = min(SENSITIVITY_TEXTS, len(evaluator.ids))
    error = evaluator.evaluate(quantized(simplified, base), count).logit_error
    chosen, cost = base, FULL.cost
    upgraded: set[str] = set()
    for upgrade in upgrades(simplified, base, evaluator, error, console):
        name, mode = upgrade.activation, upgrade.mode
        if name not in upgraded:
            upgraded.add(name)
            chosen, cost = chosen.with_mode(name, mode), cost + upgrade.cost
            if trail.see(f"+ {name} {mode}", chosen, cost):
                return


def search(
    simplified: ir.Model,
    base: QuantizationPlan,
    evaluator: Evaluator,
    gate: Evaluator,
    budget: float,
    console: Console,
    cheaper: Mapping[Scheme, QuantizationPlan] | None = None,
    prepare: Callable[[QuantizationPlan], QuantizationPlan] = lambda plan: plan,
) -> tuple[QuantizationPlan, list[Point]]:
    """Find the cheapest plan whose flip rate on the held-out texts, and on the gate's, is in a budget.

    Starts with one int8 term everywhere: in the `cheaper` schemes, in the order of cost and all of one
    cost together, then in full (`base`). Where none is within the budget, each activation's better modes are
    measured alone, and taken up in the order of gain in squared logit error per multiplication, until
    the plan is within it. A scheme's plan is prepared before it is seen: `prepare` adds what its rounding
    needs. Deterministic for a machine class: costs are counted, not timed.

    Returns:
        The plan, and the points that were seen on the way.

    Raises:
        GraphError: no plan is within the budget.
    """
    trail = Trail(simplified, evaluator, gate, budget, console)
    candidates = {**(cheaper or {}), FULL: base}
    for cost, equals in groupby(candidates.items(), key=lambda item: item[0].cost):
        inside = [trail.see(scheme.name, prepare(candidate), cost) for scheme, candidate in equals]
        if any(inside):
            break
    else:
        base = trail.plans[FULL.name]
        _upgrade(trail, simplified, base, evaluator, console)
    if not any(point.inside for point in trail.points):
        raise GraphError(f"no quantization found within a flip rate of {budget:g} on held-out texts")
    chosen = trail.plans[frontier.chosen(trail.points).name]
    if any(activation.mode != "int8x2" for activation in chosen.activations.values()):
        twice = {name: replace(activation, mode="int8x2") for name, activation in base.activations.items()}
        candidate = prepare(replace(base, activations=twice))
        trail.see("two int8 terms everywhere", candidate, COST["int8x2"])
    return chosen, trail.timed()


def _record(
    texts: calibration.Texts, points: list[Point], chosen: QuantizationPlan, budget: float
) -> dict[str, Any]:
    last = frontier.chosen(points)
    return {
        "calibration": texts.source,
        "held_out": texts.held_out_source,
        "max_flip_rate": budget,
        "chosen": last.name,
        "held_out_flip_rate": last.flip_rate,
        "reference_flip_rate": last.reference_flip_rate,
        "held_out_logit_error": last.logit_error,
        "modelled_cost": last.cost,
        "modes": {name: plan.mode for name, plan in chosen.activations.items() if plan.mode != "int8"},
    }


def run(job: Job, simplified: ir.Model, build_folder: Path) -> None:
    """Calibrate, search, and write quantization.json, frontier.json, frontier.md and frontier.svg.

    Raises:
        GraphError: the recipe gives no flip rate, or no plan is within it.
        ArtifactError: `calibration.npz` is missing or damaged.
    """
    console = Console(highlight=False, soft_wrap=True)
    texts = calibration.read(build_folder / "calibration.npz")
    budget = job.recipe.variants["int8"].max_flip_rate
    if budget is None:
        raise GraphError("variants.int8: a search needs max_flip_rate")
    console.print(f"  search   calibrating on {texts.source}; held out: {texts.held_out_source}")
    observed = calibration.calibrate(simplified, texts.calibration)
    head_info = job.head.info
    sources = (job.encoder.weights_sha256, head_info.model_sha256)
    base = initial_plan(simplified, observed, *sources)
    cheaper = {
        scheme: initial_plan(simplified, observed, *sources, scheme)
        for scheme in schemes.cheaper(job.cheapest_form)
    }
    evaluator, gate = (Evaluator(simplified, head_info, ids) for ids in (texts.held_out, texts.reference))

    def prepare(plan: QuantizationPlan) -> QuantizationPlan:
        return varied(simplified, paired(simplified, plan), texts.calibration)

    chosen, points = search(simplified, base, evaluator, gate, budget, console, cheaper, prepare)
    chosen = replace(chosen, record=_record(texts, points, chosen, budget))
    frontier.write(build_folder, points, budget)
    console.print((build_folder / "frontier.md").read_text("utf-8"), markup=False)
    write_text(build_folder / plan_file.PLAN_FILE, plan_file.dump(chosen))
