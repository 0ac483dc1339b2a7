"""Rounds apart by phase: those in which the CPUs shared a cache, and those in which they did not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, get_args

from bench.contenders.contenders import Contender
from bench.measure.cache_line import APART_NS, STEADY, Phase, phase
from bench.measure.measurements import Work, measurements
from bench.measure.rounds import Times
from bench.table import figure, percent, table
from bench.table import spread as figures
from core.timing import spread


def phases(
    times: Times, done: Work, contenders: Sequence[Contender], best: Mapping[str, float]
) -> dict[str, Any] | None:
    """Return the round trips, how many rounds fell in each phase, and the steady phases' measurements.

    None where no round trips were measured. The arguments are those of `measurements`.
    """
    if not all(times.round_trips_ns):
        return None
    named = [phase(one) for one in times.round_trips_ns]
    rounds = {name: [index for index, found in enumerate(named) if found == name] for name in get_args(Phase)}
    return {
        "round_trip_ns": asdict(spread([trip for one in times.round_trips_ns for trip in one])),
        "rounds": {name: len(found) for name, found in rounds.items()},
        "measurements": {
            name: measurements(times.only(rounds[name]), done.only(rounds[name]), contenders, best)
            for name in STEADY
            if rounds[name]
        },
    }


def lines(found: dict[str, Any], baseline: str) -> list[str]:
    """Return what a report says of a batch size's phases: a sentence, and a table where rounds differ.

    Args:
        found: what `phases` returned.
        baseline: the contender that others are compared with.
    """
    rounds, rows = found["rounds"], found["measurements"]
    total = sum(rounds.values())
    said = (
        f"A cache line's round trip between two CPUs took {figures(found['round_trip_ns'])} ns. Up to "
        f"{APART_NS:.0f} ns they are taken to share a cache: all through {rounds['together']} of {total} "
        f"rounds they did, all through {rounds['apart']} they did not."
    )
    if total in rounds.values():
        return ["", said]
    header = ["contender"]
    for name in rows:
        header += [f"texts/s {name}", f"× {baseline}", "of its floor"]
    body = []
    for same in zip(*rows.values(), strict=True):
        cells = [same[0]["contender"]]
        for row in same:
            versus = row["times_as_fast_as"].get(baseline)
            cells += [
                figure(row["texts_per_second"]["median"]),
                "" if versus is None else figures(versus),
                percent(row["share_of_floor"]),
            ]
        body.append(cells)
    return ["", said, *(["", *table(header, body)] if rows else [])]
