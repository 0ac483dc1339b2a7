"""Search for the fastest quantization within the recipe's flip rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx_ir as ir
from rich.console import Console

from core.build import plan as plan_file
from core.build.plan import QuantizationPlan
from core.errors import GraphError
from graphs.int8 import calibration
from graphs.job import Job, plan_of
from graphs.search import frontier, schemes
from graphs.search.compensation import compensated
from graphs.search.evaluator import Evaluator
from graphs.search.frontier import Point
from graphs.search.guarded import Guarded
from graphs.search.head_refit import HeadRefit
from graphs.search.initial_plan import initial_plan
from graphs.search.pairing import paired
from graphs.search.schemes import FULL, Scheme
from graphs.search.upgrades import COST, SENSITIVITY_TEXTS, quantized, upgrades

# Among the candidates' names.
_FLOAT = "float32"


class Found(NamedTuple):
    """The plan of `int8`, all that were seen by name, and their points."""

    plan: QuantizationPlan
    plans: dict[str, QuantizationPlan]
    points: list[Point]


def within(rate: float, texts: int, budget: float) -> bool:
    """Whether a flip rate on so many texts is within a budget, two standard errors added."""
    return rate + 2 * float(np.sqrt(rate * (1 - rate) / texts)) <= budget


class Trail:
    """The candidates that a search has evaluated: their points, and their plans by name."""

    def __init__(
        self,
        simplified: ir.Model,
        evaluator: Evaluator,
        gate: Evaluator,
        budget: float,
        console: Console,
        guarded: Guarded | None = None,
    ) -> None:
        """Evaluate on the texts of `evaluator` and `gate`; inside is what is within `budget` on both."""
        self._simplified, self._evaluator, self._gate = simplified, evaluator, gate
        self._budget, self._console, self._guarded = budget, console, guarded
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
        guard = None if self._guarded is None else self._guarded.see(name, self._simplified, candidate, cost)
        self.points.append(Point(name, rate, gated, error, size, cost, 0.0, inside, guard))
        self.plans[name], self._models[name] = candidate, model
        self._console.print(
            f"  search   {name:<34} flip rate {rate:.4f}, reference {gated:.4f}, {size / 1e6:.1f} MB"
            + (f"; guarded: {guard.asked_share:.3f} asked twice, cost {guard.cost:.2f}" if guard else "")
        )
        return inside

    def timed(self) -> list[Point]:
        """Return the points with their speeds, measured in turn."""
        models = self._models if self._guarded is None else {**self._models, _FLOAT: self._simplified}
        rates, timed = self._evaluator.speeds(models), []
        for point in self.points:
            rate, guard = rates[point.name], point.guard
            if guard is not None:
                both = 1 / rate + guard.asked_share / rates[_FLOAT]
                guard = replace(guard, texts_per_second=1 / both)
            timed.append(replace(point, texts_per_second=rate, guard=guard))
        return timed


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


def _refit(trail: Trail, refit: Callable[[QuantizationPlan], QuantizationPlan]) -> None:
    """See the best points, of int8 and of `guarded`, once more with a head that is refitted."""
    best = {
        point.name: point
        for point in (frontier.chosen(trail.points), frontier.fastest(trail.points))
        if point
    }
    for name, point in best.items():
        candidate = refit(trail.plans[name])
        if candidate is not trail.plans[name]:
            trail.see(f"{name}, head refitted", candidate, point.cost)


def search(
    simplified: ir.Model,
    base: QuantizationPlan,
    evaluator: Evaluator,
    gate: Evaluator,
    budget: float,
    console: Console,
    cheaper: Mapping[Scheme, QuantizationPlan] | None = None,
    prepare: Callable[[QuantizationPlan], QuantizationPlan] = lambda plan: plan,
    guarded: Guarded | None = None,
    refit: Callable[[QuantizationPlan], QuantizationPlan] = lambda plan: plan,
) -> Found:
    """Find the cheapest plan whose flip rate on the held-out texts, and on the gate's, is in a budget.

    Starts with one int8 term everywhere: in the `cheaper` schemes, in the order of cost and all of one
    cost together, then in full (`base`). Where none is within the budget, each activation's better modes are
    measured alone, and taken up in the order of gain in squared logit error per multiplication, until
    the plan is within it. A scheme's plan is prepared before it is seen: `prepare` adds what its rounding
    needs. Deterministic for a machine class: costs are counted, not timed. For `guarded` all schemes are
    seen: a better half asks fewer texts twice. What would be chosen is seen once more after `refit`.

    Raises:
        GraphError: no plan is within the budget.
    """
    trail = Trail(simplified, evaluator, gate, budget, console, guarded)
    candidates = {**(cheaper or {}), FULL: base}
    for cost, equals in groupby(candidates.items(), key=lambda item: item[0].cost):
        inside = [trail.see(scheme.name, prepare(candidate), cost) for scheme, candidate in equals]
        if any(inside) and guarded is None:
            break
    if not any(point.inside for point in trail.points):
        base = trail.plans[FULL.name]
        _upgrade(trail, simplified, base, evaluator, console)
    if not any(point.inside for point in trail.points):
        raise GraphError(f"no quantization found within a flip rate of {budget:g} on held-out texts")
    _refit(trail, refit)
    chosen = trail.plans[frontier.chosen(trail.points).name]
    if any(activation.mode != "int8x2" for activation in chosen.activations.values()):
        twice = {name: replace(activation, mode="int8x2") for name, activation in base.activations.items()}
        candidate = prepare(replace(base, activations=twice))
        trail.see("two int8 terms everywhere", candidate, COST["int8x2"])
    return Found(chosen, trail.plans, trail.timed())


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
        **chosen.record,
    }


def _evaluators(job: Job, simplified: ir.Model, texts: calibration.Texts) -> tuple[Evaluator, Evaluator]:
    """Return those on held-out texts, and on the texts that the build is gated on."""
    held_out, gate = (Evaluator(simplified, job.head.info, ids) for ids in (texts.held_out, texts.reference))
    return held_out, gate


def _guarded(job: Job, evaluator: Evaluator, gate: Evaluator) -> Guarded | None:
    variant = job.recipe.variants.get("guarded")
    return Guarded(evaluator, gate, variant.max_flip_rate or 0.0) if variant else None


def margins(job: Job, simplified: ir.Model, build_folder: Path, plan: QuantizationPlan) -> QuantizationPlan:
    """Return a finished plan with the margins of the variant `guarded`, and a record of them.

    Raises:
        GraphError: the recipe has no such variant, or too many texts of the reference flip.
        ArtifactError: `calibration.npz` is missing or damaged.
    """
    texts = calibration.read(build_folder / "calibration.npz")
    guarded = _guarded(job, *_evaluators(job, simplified, texts))
    if guarded is None:
        raise GraphError("found no variants.guarded in the recipe, expected one to choose margins for")
    return guarded.of_plan(simplified, plan_of(replace(job, plan=plan)), texts.held_out_source)


def run(job: Job, simplified: ir.Model, build_folder: Path) -> None:
    """Calibrate, search, and write quantization.json, frontier.json, frontier.md and frontier.svg.

    The plan of the variant `guarded` is the same, with margins, or another, in quantization_guarded.json.

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
    sources = (job.encoder.weights_sha256, job.head.info.model_sha256)
    base = initial_plan(simplified, observed, *sources)
    cheaper = {
        scheme: initial_plan(simplified, observed, *sources, scheme)
        for scheme in schemes.cheaper(job.cheapest_form)
    }
    evaluator, gate = _evaluators(job, simplified, texts)

    def prepare(plan: QuantizationPlan) -> QuantizationPlan:
        ordered = paired(simplified, plan)
        return compensated(simplified, ordered, texts.calibration, texts.sensitivities)

    guarded = _guarded(job, evaluator, gate)
    refit = HeadRefit(simplified, texts.calibration, job.head.info)
    chosen, plans, points = search(
        simplified, base, evaluator, gate, budget, console, cheaper, prepare, guarded, refit
    )
    record = _record(texts, points, chosen, budget)
    plan, own = replace(chosen, record=record), None
    if guarded is not None:
        half = guarded.chosen(points, plans, texts.held_out_source)
        own = replace(half, record={"calibration": texts.source, **half.record})
        if plans[frontier.chosen(points).name] is plans[half.record[plan_file.GUARD_FOUND]["half"]]:
            plan, own = replace(half, record={**record, **half.record}), None
    frontier.write(build_folder, points, budget)
    console.print((build_folder / "frontier.md").read_text("utf-8"), markup=False)
    plan_file.write(build_folder / plan_file.PLAN_FILE, plan)
    own_path = build_folder / plan_file.GUARDED_FILE
    if own is None:
        plan_file.remove(own_path)
    else:
        plan_file.write(own_path, own)
