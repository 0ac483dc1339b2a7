"""`python -m graphs.search RECIPE BUILD`: the fastest quantization within the recipe's flip rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnx_ir as ir
import typer
from rich.console import Console
from rich.progress import track

from export import recipe
from export.contract import GraphError, ToolchainError
from export.files import write_text
from export.info import EncoderInfo
from graphs import build, calibrate, frontier, head, pipeline, plan, quantize, sites, start
from graphs.frontier import Point
from graphs.job import Job
from graphs.judge import Judge
from graphs.plan import Mode, Plan

# Of an int8 product of the same shape, by the machine's peaks; a second term also rounds and adds.
_COST: dict[Mode, float] = {"int8": 1.0, "int8x2": 2.2, "float": 4.0}
_SENSITIVITY_TEXTS = 600

Load = Callable[[], ir.Model]


@dataclass(frozen=True)
class Upgrade:
    """A better mode at one site: what it takes off the squared logit error, and what it costs."""

    site: str
    mode: Mode
    gain: float
    cost: float


def _quantized(load: Load, chosen: Plan) -> ir.Model:
    model = load()
    quantize.quantize(model, chosen)
    return model


def _products(model: ir.Model) -> dict[str, float]:
    """Return each site's share of all multiplications."""
    counts = {}
    for site in sites.find(model):
        # A gather of rows is read for CLS tokens alone: next to nothing.
        weights = [node.inputs[1] for node in site.linears if node.inputs[0] is site.value]
        counts[site.name] = sum(build.array_of(value).size for value in weights if value is not None)
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()}


def upgrades(load: Load, base: Plan, judge: Judge, base_error: float, console: Console) -> list[Upgrade]:
    """Measure every better mode of every site alone; return those that help, the cheapest gain first."""
    shares, found = _products(load()), []
    count = min(_SENSITIVITY_TEXTS, len(judge.ids))
    modes: tuple[Mode, ...] = ("int8x2", "float")
    for name in track(base.sites, "  sensitivity", console=console, transient=True):
        for mode in modes:
            judged = judge.judge(_quantized(load, base.with_mode(name, mode)), count)
            gain = base_error**2 - judged.logit_error**2
            found.append(Upgrade(name, mode, gain, shares[name] * (_COST[mode] - 1)))
    return sorted((one for one in found if one.gain > 0), key=lambda one: -one.gain / one.cost)


def within(rate: float, texts: int, budget: float) -> bool:
    """Whether a flip rate on so many texts is within a budget, two standard errors added."""
    return rate + 2 * float(np.sqrt(rate * (1 - rate) / texts)) <= budget


def search(
    load: Load, base: Plan, judge: Judge, gate: Judge, budget: float, console: Console
) -> tuple[Plan, list[Point]]:
    """Find the cheapest plan whose flip rate on the held-out texts, and on the gate's, is in a budget.

    Starts with one int8 term everywhere. Where that is not within the budget, each site's better
    modes are measured alone, and taken up in the order of gain in squared logit error per
    multiplication, until the plan is within it. Deterministic for a machine class: costs are
    counted, not timed.

    Returns:
        The plan, and the points that were seen on the way.

    Raises:
        GraphError: no plan is within the budget.
    """
    points: list[Point] = []
    plans: dict[str, Plan] = {}

    def see(name: str, candidate: Plan, cost: float) -> bool:
        model = _quantized(load, candidate)
        judged = judge.judge(model)
        size = len(ir.to_proto(model).SerializeToString())
        gated = gate.judge(model).flip_rate
        inside = within(judged.flip_rate, len(judge.ids), budget) and gated <= budget
        points.append(Point(name, judged.flip_rate, gated, judged.logit_error, size, cost, 0.0, inside))
        plans[name] = candidate
        console.print(
            f"  search   {name:<34} flip rate {judged.flip_rate:.4f}, reference {gated:.4f}, "
            f"{size / 1e6:.1f} MB"
        )
        return inside

    chosen, cost = base, 1.0
    inside = see("one int8 term everywhere", base, cost)
    if not inside:
        count = min(_SENSITIVITY_TEXTS, len(judge.ids))
        error = judge.judge(_quantized(load, base), count).logit_error
        taken: dict[str, float] = {}
        for step in upgrades(load, base, judge, error, console):
            if inside or step.site in taken:
                continue
            taken[step.site] = step.cost
            chosen = chosen.with_mode(step.site, step.mode)
            cost += step.cost
            inside = see(f"+ {step.site} {step.mode}", chosen, cost)
        if not inside:
            raise GraphError(f"no quantization found within a flip rate of {budget:g} on held-out texts")
    if base.sites.keys() - {name for name, site in chosen.sites.items() if site.mode == "int8x2"}:
        twice = replace(base, sites={name: replace(site, mode="int8x2") for name, site in base.sites.items()})
        see("two int8 terms everywhere", twice, _COST["int8x2"])
    rates = judge.speeds({name: lambda one=one: _quantized(load, one) for name, one in plans.items()})  # type: ignore[misc]
    points = [replace(point, texts_per_second=rates[point.name]) for point in points]
    return chosen, points


def _record(texts: calibrate.Texts, points: list[Point], chosen: Plan, budget: float) -> dict[str, Any]:
    last = next(point for point in points if point.inside)
    return {
        "calibration": texts.source,
        "held_out": texts.held_out_source,
        "max_flip_rate": budget,
        "held_out_flip_rate": last.flip_rate,
        "reference_flip_rate": last.reference_flip_rate,
        "held_out_logit_error": last.logit_error,
        "modelled_cost": last.cost,
        "modes": {name: site.mode for name, site in chosen.sites.items() if site.mode != "int8"},
    }


def main(recipe_folder: Path, build_folder: Annotated[Path, typer.Argument()]) -> None:
    """Calibrate, search, and write quantization.json, frontier.json, frontier.md and frontier.svg."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        job = Job(
            recipe.load(recipe_folder),
            EncoderInfo.read(build_folder / "encoder.json"),
            head.read(build_folder),
        )
        texts = calibrate.read(build_folder / "calibration.npz")
        budget = job.recipe.variants["int8"].max_flip_rate
        if budget is None:
            raise GraphError("variants.int8: a search needs max_flip_rate")

        def load() -> ir.Model:
            return pipeline.load(build_folder / "simplified.onnx")

        console.print(f"  search   calibrating on {texts.source}; held out: {texts.held_out_source}")
        observed = calibrate.calibrate(load(), texts.calibration)
        head_info = job.head.info
        base = start.start(
            load(), observed, job.weight_bits, job.encoder.weights_sha256, head_info.model_sha256
        )
        judge, gate = (Judge(load(), head_info, ids) for ids in (texts.held_out, texts.reference))
        chosen, points = search(load, base, judge, gate, budget, console)
        found = replace(chosen, record=_record(texts, points, chosen, budget))
        frontier.write(build_folder, points, budget)
        console.print((build_folder / "frontier.md").read_text("utf-8"), markup=False)
        write_text(build_folder / plan.PLAN_FILE, plan.dump(found))
    except ToolchainError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"error: {error}", markup=False)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    typer.run(main)
