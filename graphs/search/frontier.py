"""Write the frontier that a search saw: speed, size and flip rate, as JSON, a table and a plot."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from core.disk.files import write_text


@dataclass(frozen=True)
class Guard:
    """What a candidate comes to in the variant `guarded`.

    `margin_scale` is its margins in units of each label's error, `asked_share` the share of the held-out
    texts that its float branch answers too; `expected_flip_rate` and `bound` are of
    `graphs.search.margin`.
    `cost` and `texts_per_second` are modelled, the latter from the measured speeds of both branches.
    """

    margin_scale: float
    asked_share: float
    expected_flip_rate: float
    bound: float
    reference_flip_rate: float
    cost: float
    texts_per_second: float
    inside: bool


@dataclass(frozen=True)
class Point:
    """One candidate: `flip_rate` and `logit_error` (root mean square) on the held-out texts.

    `reference_flip_rate` is on the texts that the build is gated on.
    `cost` is modelled: multiplications in int8 terms, 1 where each layer has one. `texts_per_second`
    is measured, all candidates in turn. `inside` says whether it is within the budget. `guard` is None where
    the recipe has no variant `guarded`.
    """

    name: str
    flip_rate: float
    reference_flip_rate: float
    logit_error: float
    size_bytes: int
    cost: float
    texts_per_second: float
    inside: bool
    guard: Guard | None = None


def _name(point: Point, points: Sequence[Point]) -> str:
    marks = {" **chosen**": chosen(points), " **guarded**": fastest(points)}
    return point.name + "".join(mark for mark, best in marks.items() if point is best)


def _guard_cells(guard: Guard | None) -> str:
    if guard is None:
        return ""
    return (
        f" {guard.margin_scale:.2f} | {guard.asked_share:.3f} | {guard.bound:.2g} | {guard.cost:.2f} "
        f"| {guard.texts_per_second:.0f} |"
    )


def table(points: Sequence[Point], budget: float) -> str:
    """Return the points as a Markdown table."""
    guarded = any(point.guard for point in points)
    columns = [
        *("candidate", f"flip rate (≤ {budget:g})", "on the reference", "logit error", "size", "cost"),
        *("texts/s", *(("margins", "asked twice", "flips at most", "cost", "texts/s") if guarded else ())),
    ]
    lines = [f"| {' | '.join(columns)} |", "|" + " --- |" * len(columns)]
    lines += [
        f"| {_name(point, points)} | {point.flip_rate:.4f} "
        f"| {point.reference_flip_rate:.4f} "
        f"| {point.logit_error:.4f} | {point.size_bytes / 1e6:.1f} MB | {point.cost:.2f} "
        f"| {point.texts_per_second:.0f} |{_guard_cells(point.guard)}"
        for point in points
    ]
    return "\n".join(lines) + "\n"


def chosen(points: Sequence[Point]) -> Point:
    """Return the cheapest point within the budget; of equals, the one with the least error."""
    return min((point for point in points if point.inside), key=lambda point: (point.cost, point.logit_error))


def fastest(points: Sequence[Point]) -> Point | None:
    """Return the point that is cheapest in `guarded`, within its budget; None where there is none."""
    costs = {id(point): point.guard.cost for point in points if point.guard and point.guard.inside}
    return min(
        (point for point in points if id(point) in costs), key=lambda point: costs[id(point)], default=None
    )


def svg(figure: Figure) -> str:
    """Return a figure as SVG, the same text for the same numbers: no date, no random names."""
    with mpl.rc_context({"svg.hashsalt": "figure", "svg.fonttype": "none"}):
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
        return text.getvalue()


def _plot(points: Sequence[Point], budget: float) -> str:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.scatter([p.texts_per_second for p in points], [p.flip_rate for p in points], color="tab:gray")
    best = chosen(points)
    axes.scatter([best.texts_per_second], [best.flip_rate], color="tab:red", label=f"chosen: {best.name}")
    guards = [(point.guard, point is fastest(points)) for point in points if point.guard]
    for marked, color, label in ((False, "tab:gray", None), (True, "tab:green", "guarded: flips at most")):
        shown = [guard for guard, is_best in guards if is_best == marked]
        if shown:
            speeds, bounds = [guard.texts_per_second for guard in shown], [guard.bound for guard in shown]
            axes.scatter(speeds, bounds, color=color, marker="^", label=label)
    axes.axhline(budget, linestyle="--", color="tab:blue", label="max_flip_rate")
    axes.set(xlabel="texts/s, batches of 32 in natural order", ylabel="flip rate, held-out texts")
    axes.set_ylim(bottom=0)
    axes.legend()
    return svg(figure)


def write(folder: Path, points: Sequence[Point], budget: float) -> None:
    """Write `frontier.json`, `frontier.md` and `frontier.svg`."""
    write_text(folder / "frontier.json", json.dumps([asdict(point) for point in points], indent=2) + "\n")
    write_text(folder / "frontier.md", table(points, budget))
    write_text(folder / "frontier.svg", _plot(points, budget))
