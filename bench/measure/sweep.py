"""The cost of a real token over lengths or batch sizes: a contender's points side by side in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import geometric_mean, median
from typing import Any

from bench.contenders.contenders import SWEPT
from bench.contenders.process import Worker
from bench.measure import texts as texts
from bench.measure.cache_line import STEADY, Phase, RoundTrip, phase
from core.timing import Turn, interleave, spread


def _turn(
    worker: Worker,
    points: Sequence[Sequence[texts.Ids]],
    rounds: int,
    trip: RoundTrip | None,
    phases: list[list[Phase]],
) -> Turn:
    """Return what runs all points one right after the other; its seconds are one a point, in their order.

    The rounds' first points are spread evenly over all points: each runs early, midway and late. Each
    point's phase is added to its list in `phases`, where round trips are measured.
    """

    def run(index: int) -> list[float]:
        start = index * len(points) // rounds
        seconds = [0.0] * len(points)
        for place in [*range(start, len(points)), *range(start)]:
            before = [] if trip is None else [trip()]
            seconds[place] = sum(worker.seconds(points[place]))
            if trip is not None:
                phases[place].append(phase([*before, trip()]))
        return seconds

    return run


def relative(costs: Sequence[Sequence[float]]) -> list[float]:
    """Divide each round's costs by their geometric mean; return each point's median over the rounds.

    What makes a whole round slower drops out.

    Args:
        costs: for each round, the positive cost of each point; at least one round and point.
    """
    divided = [[cost / geometric_mean(one) for cost in one] for one in costs]
    return [median(point) for point in zip(*divided, strict=True)]


def _by_phase(costs: Sequence[float], phases: Sequence[Phase]) -> dict[str, float]:
    """Return steady phase → the median of the costs in it, where there are any; without phases none."""
    if not phases:
        return {}
    found = {name: [cost for cost, own in zip(costs, phases, strict=True) if own == name] for name in STEADY}
    return {name: median(own) for name, own in found.items() if own}


def sweep(
    workers: Mapping[str, Worker],
    points: Mapping[int, list[texts.Ids]],
    rounds: int,
    trip: RoundTrip | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Run the swept contenders in turns, all points a turn.

    Returns:
        Name → a row a point: `us_per_token`, microseconds a real token, the medians of its rounds `by_phase`
        where `trip` measures a cache line's round trip, and `relative`.

    Raises:
        BenchmarkError: a process ends, answers with something else, or takes too long.
    """
    counts = [texts.tokens(batches) for batches in points.values()]
    swept = [name for name in workers if name in SWEPT]
    phases: dict[str, list[list[Phase]]] = {name: [[] for _ in points] for name in swept}
    turns = {name: _turn(workers[name], list(points.values()), rounds, trip, phases[name]) for name in swept}
    found: dict[str, list[dict[str, Any]]] = {}
    for name, times in interleave(turns, rounds).items():
        costs = [[s / count * 1e6 for s, count in zip(one, counts, strict=True)] for one in times]
        columns = zip(points.items(), zip(*costs, strict=True), relative(costs), phases[name], strict=True)
        found[name] = [
            {
                "at": at,
                "calls": len(batches),
                "us_per_token": asdict(spread(cost)),
                "by_phase": _by_phase(cost, own),
                "relative": share,
            }
            for (at, batches), cost, share, own in columns
        ]
    return found


def flatness(swept: Mapping[str, list[dict[str, Any]]]) -> dict[str, float]:
    """Return contender → its highest over its lowest `relative` cost of a real token."""
    shares = {name: [row["relative"] for row in rows] for name, rows in swept.items()}
    return {name: max(one) / min(one) for name, one in shares.items()}


def flatness_by_phase(swept: Mapping[str, list[dict[str, Any]]]) -> dict[str, dict[str, float]]:
    """Return steady phase → the same of the costs in it, of the contenders all of whose points fell in it."""
    found: dict[str, dict[str, float]] = {}
    for name, rows in swept.items():
        for phase_name in STEADY:
            costs = [row["by_phase"][phase_name] for row in rows if phase_name in row["by_phase"]]
            if len(costs) == len(rows):
                found.setdefault(phase_name, {})[name] = max(costs) / min(costs)
    return found
