"""The cost of a real token over lengths or batch sizes: a contender's points side by side in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import geometric_mean, median
from typing import Any

from verify import bench_texts as texts
from verify.bench_contenders import SWEPT
from verify.bench_process import Worker
from verify.bench_statistics import Turn, interleave, spread


def _turn(worker: Worker, points: Sequence[Sequence[texts.Ids]], rounds: int) -> Turn:
    """Return what runs all points one right after the other; its seconds are one a point, in their order.

    The rounds' first points are spread evenly over all points: each runs early, midway and late.
    """

    def run(index: int) -> list[float]:
        start = index * len(points) // rounds
        seconds = [0.0] * len(points)
        for place in [*range(start, len(points)), *range(start)]:
            seconds[place] = sum(worker.seconds(points[place]))
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


def sweep(
    workers: Mapping[str, Worker], points: Mapping[int, list[texts.Ids]], rounds: int
) -> dict[str, list[dict[str, Any]]]:
    """Run the swept contenders in turns, all points a turn.

    Returns:
        Name → a row a point: `us_per_token`, microseconds a real token, and `relative`.

    Raises:
        BenchmarkError: a process ends, answers with something else, or takes too long.
    """
    counts = [texts.tokens(batches) for batches in points.values()]
    turns = {
        name: _turn(worker, list(points.values()), rounds)
        for name, worker in workers.items()
        if name in SWEPT
    }
    found: dict[str, list[dict[str, Any]]] = {}
    for name, times in interleave(turns, rounds).items():
        costs = [[s / count * 1e6 for s, count in zip(one, counts, strict=True)] for one in times]
        columns = zip(points.items(), zip(*costs, strict=True), relative(costs), strict=True)
        found[name] = [
            {"at": at, "calls": len(batches), "us_per_token": asdict(spread(cost)), "relative": share}
            for (at, batches), cost, share in columns
        ]
    return found


def flatness(swept: Mapping[str, list[dict[str, Any]]]) -> dict[str, float]:
    """Return contender → its highest over its lowest `relative` cost of a real token."""
    shares = {name: [row["relative"] for row in rows] for name, rows in swept.items()}
    return {name: max(one) / min(one) for name, one in shares.items()}


def flatness_of_fastest(swept: Mapping[str, list[dict[str, Any]]]) -> dict[str, float]:
    """Return the same of each point's fastest round: where the machine has phases, of its best one."""
    lows = {name: [row["us_per_token"]["low"] for row in rows] for name, rows in swept.items()}
    return {name: max(one) / min(one) for name, one in lows.items()}
