"""Search for the fastest quantization within the recipe's flip rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from rich.console import Console

from core.build import plan_file
from core.build.plan import Plan
from core.disk.files import write_text
from core.errors import GraphError
from graphs.int8 import calibration
from graphs.job import Job
from graphs.search import frontier, initial_plan, schemes
from graphs.search.evaluator import Judge
from graphs.search.frontier import Point
from graphs.search.schemes import FULL, Form
from graphs.search.upgrades import COST, SENSITIVITY_TEXTS, Load, quantized, upgrades


def within(rate: float, texts: int, budget: float) -> bool:
    """Whether a flip rate on so many texts is within a budget, two standard errors added."""
    return rate + 2 * float(np.sqrt(rate * (1 - rate) / texts)) <= budget


class Trail:
    """The candidates that a search has judged: their points, and their plans by name."""

    def __init__(self, load: Load, judge: Judge, gate: Judge, budget: float, console: Console) -> None:
        """Judge by `judge` and `gate`; a candidate is inside where both are within `budget`."""
        self._load, self._judge, self._gate = load, judge, gate
        self._budget, self._console = budget, console
        self.points: list[Point] = []
        self.plans: dict[str, Plan] = {}

    def see(self, name: str, candidate: Plan, cost: float) -> bool:
        """Judge a candidate, print and keep what it came to; return whether it is inside."""
        model = quantized(self._load, candidate)
        judged = self._judge.judge(model)
        size = len(ir.to_proto(model).SerializeToString())
        gated = self._gate.judge(model).flip_rate
        inside = within(judged.flip_rate, len(self._judge.ids), self._budget) and gated <= self._budget
        self.points.append(Point(name, judged.flip_rate, gated, judged.logit_error, size, cost, 0.0, inside))
        self.plans[name] = candidate
        self._console.print(
            f"  search   {name:<34} flip rate {judged.flip_rate:.4f}, reference {gated:.4f}, "
            f"{size / 1e6:.1f} MB"
        )
        return inside

    def timed(self) -> list[Point]:
        """Return the points with their speeds, measured in turn."""
        rates = self._judge.speeds(
            {name: lambda one=one: quantized(self._load, one) for name, one in self.plans.items()}  # type: ignore[misc]
        )
        return [replace(point, texts_per_second=rates[point.name]) for point in self.points]


def _upgrade(trail: Trail, load: Load, base: Plan, judge: Judge, console: Console) -> None:
    """Take up better modes, the cheapest gain first, until the plan is inside."""
    count = min(SENSITIVITY_TEXTS, len(judge.ids))
    error = judge.judge(quantized(load, base), count).logit_error
    chosen, cost = base, FULL.cost
    taken: set[str] = set()
    for step in upgrades(load, base, judge, error, console):
        if step.site not in taken:
            taken.add(step.site)
            chosen, cost = chosen.with_mode(step.site, step.mode), cost + step.cost
            if trail.see(f"+ {step.site} {step.mode}", chosen, cost):
                return


def search(
    load: Load,
    base: Plan,
    judge: Judge,
    gate: Judge,
    budget: float,
    console: Console,
    cheaper: Mapping[Form, Plan] | None = None,
) -> tuple[Plan, list[Point]]:
    """Find the cheapest plan whose flip rate on the held-out texts, and on the gate's, is in a budget.

    Starts with one int8 term everywhere: in the `cheaper` forms, in the order of cost and all of one
    cost together, then in full (`base`). Where none is within the budget, each site's better modes are
    measured alone, and taken up in the order of gain in squared logit error per multiplication, until
    the plan is within it. Deterministic for a machine class: costs are counted, not timed.

    Returns:
        The plan, and the points that were seen on the way.

    Raises:
        GraphError: no plan is within the budget.
    """
    trail = Trail(load, judge, gate, budget, console)
    candidates = {**(cheaper or {}), FULL: base}
    for cost, equals in groupby(candidates.items(), key=lambda item: item[0].cost):
        inside = [trail.see(form.name, candidate, cost) for form, candidate in equals]
        if any(inside):
            break
    else:
        _upgrade(trail, load, base, judge, console)
    if not any(point.inside for point in trail.points):
        raise GraphError(f"no quantization found within a flip rate of {budget:g} on held-out texts")
    chosen = trail.plans[frontier.chosen(trail.points).name]
    if any(site.mode != "int8x2" for site in chosen.sites.values()):
        twice = replace(base, sites={name: replace(site, mode="int8x2") for name, site in base.sites.items()})
        trail.see("two int8 terms everywhere", twice, COST["int8x2"])
    return chosen, trail.timed()


def _record(texts: calibration.Texts, points: list[Point], chosen: Plan, budget: float) -> dict[str, Any]:
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
        "modes": {name: site.mode for name, site in chosen.sites.items() if site.mode != "int8"},
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
    load = simplified.clone
    console.print(f"  search   calibrating on {texts.source}; held out: {texts.held_out_source}")
    observed = calibration.calibrate(load(), texts.calibration)
    head_info = job.head.info
    sources = (job.weight_bits, job.encoder.weights_sha256, head_info.model_sha256)
    base = initial_plan.start(load(), observed, *sources)
    cheaper = {
        form: initial_plan.start(load(), observed, *sources, form)
        for form in schemes.cheaper(job.cheapest_form)
    }
    judge, gate = (Judge(load(), head_info, ids) for ids in (texts.held_out, texts.reference))
    chosen, points = search(load, base, judge, gate, budget, console, cheaper)
    found = replace(chosen, record=_record(texts, points, chosen, budget))
    frontier.write(build_folder, points, budget)
    console.print((build_folder / "frontier.md").read_text("utf-8"), markup=False)
    write_text(build_folder / plan_file.PLAN_FILE, plan_file.dump(found))
