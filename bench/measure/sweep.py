"""The cost of a real token over lengths or batch sizes: a contender's points side by side in time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import geometric_mean
from typing import Any

from bench.contenders.contenders import SWEPT
from bench.contenders.protocol import Worker
from bench.measure import texts
from bench.measure.cache_line import STEADY, CacheSharing, RoundTrip, cache_sharing
from core.timing import Turn, interleave, median, spread


def _turn(
    worker: Worker,
    points: Sequence[Sequence[texts.Ids]],
    rounds: int,
    round_trip: RoundTrip | None,
    sharing: list[list[CacheSharing]],
) -> Turn:
    """Return what runs all points one right after the other; its seconds are one per point, in their order.

    The rounds' first points are spread evenly over all points: each runs early, midway and late. Whether the
    CPUs shared a cache is added to each point's list in `sharing`, where round trips are measured.
    """

    def run(index: int) -> list[float]:
        start = index * len(points) // rounds
        seconds = [0.0] * len(points)
        for place in [*range(start, len(points)), *range(start)]:
            before = [] if round_trip is None else [round_trip()]
            seconds[place] = sum(worker.seconds(points[place]))
            if round_trip is not None:
                sharing[place].append(cache_sharing([*before, round_trip()]))
        return seconds

    return run


def relative(costs: Sequence[Sequence[float]]) -> list[float]:
    """Divide each round's costs by their geometric mean; return each point's median over the rounds.

    What makes a whole round slower drops out.

    Args:
        costs: for each round, the positive cost of each point; at least one round and point.
    """
    divided = [[cost / geometric_mean(points) for cost in points] for points in costs]
    return [median(point) for point in zip(*divided, strict=True)]


def _by_cache(costs: Sequence[float], sharing: Sequence[CacheSharing]) -> dict[str, float]:
    """Return for each steady kind the median of its costs, where there are any."""
    if not sharing:
        return {}
    kinds = {kind: [cost for cost, own in zip(costs, sharing, strict=True) if own == kind] for kind in STEADY}
    return {kind: median(members) for kind, members in kinds.items() if members}


def sweep(
    workers: Mapping[str, Worker],
    points: Mapping[int, list[texts.Ids]],
    rounds: int,
    round_trip: RoundTrip | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Run the swept contenders in turns, all points in each turn.

    Returns:
        Name → a row per point: `us_per_token`, microseconds per real token, the medians of its rounds
        `by_cache` where `round_trip` measures a cache line's, and `relative`.

    Raises:
        BenchmarkError: a process ends, answers with something else, or takes too long.
    """
    tokens = [texts.tokens(batches) for batches in points.values()]
    swept = [name for name in workers if name in SWEPT]
    sharing: dict[str, list[list[CacheSharing]]] = {name: [[] for _ in points] for name in swept}
    turns = {
        name: _turn(workers[name], list(points.values()), rounds, round_trip, sharing[name]) for name in swept
    }
    rows: dict[str, list[dict[str, Any]]] = {}
    for name, times in interleave(turns, rounds).items():
        costs = [[s / count * 1e6 for s, count in zip(turn, tokens, strict=True)] for turn in times]
        columns = zip(points.items(), zip(*costs, strict=True), relative(costs), sharing[name], strict=True)
        rows[name] = [
            {
                "at": at,
                "calls": len(batches),
                "us_per_token": asdict(spread(cost)),
                "by_cache": _by_cache(cost, own),
                "relative": share,
            }
            for (at, batches), cost, share, own in columns
        ]
    return rows


def flatness(swept: Mapping[str, list[dict[str, Any]]]) -> dict[str, float]:
    """Return contender → its highest over its lowest `relative` cost of a real token."""
    shares = {name: [row["relative"] for row in rows] for name, rows in swept.items()}
    return {name: max(own) / min(own) for name, own in shares.items()}


def flatness_by_cache(swept: Mapping[str, list[dict[str, Any]]]) -> dict[str, dict[str, float]]:
    """Return the same for each steady kind, of the contenders that have costs of it at all points."""
    ratios: dict[str, dict[str, float]] = {}
    for name, rows in swept.items():
        for kind in STEADY:
            costs = [row["by_cache"][kind] for row in rows if kind in row["by_cache"]]
            if len(costs) == len(rows):
                ratios.setdefault(kind, {})[name] = max(costs) / min(costs)
    return ratios
