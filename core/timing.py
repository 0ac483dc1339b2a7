"""Summarize noisy times, taken in interleaved rounds: medians with spread, percentiles, ratios in a round.

Every median of times, rates and ratios is `median`: the same rounds have one, whichever way it is asked for.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

# onnxruntime's threads spin for up to 50 ms after a run (seen in a process's CPU time): on a CPU that
# whoever comes next needs. With two of them, graphs of many small operators lost up to half their speed.
IDLE_SECONDS = 0.07

Turn = Callable[[int], list[float]]
Key = TypeVar("Key", bound=Hashable)
Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Spread:
    """The median of some rounds, the lowest and the highest."""

    median: float
    low: float
    high: float


def median(values: Sequence[float]) -> float:
    """Return the middle one of some positive values; of an even number, the geometric mean of the middle two.

    So a rate's median is one over the time's, and A over B's one over B over A's, for any number of rounds.
    """
    ordered = sorted(map(float, values))
    below, above = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return below if below == above else math.sqrt(below * above)


def spread(values: Sequence[float]) -> Spread:
    """Return the median, the lowest and the highest of at least one value."""
    return Spread(median(values), float(min(values)), float(max(values)))


def ratio(above: Sequence[float], below: Sequence[float]) -> Spread:
    """Divide round by round, then take the median: what slows a whole round down drops out.

    It need not be the ratio of the medians: a table that has both says so.
    """
    return spread([a / b for a, b in zip(above, below, strict=True)])


def percentile_ms(seconds: Sequence[float], percent: float) -> float:
    """Return a percentile of call times, in milliseconds."""
    return float(np.percentile(seconds, percent)) * 1e3


def call_seconds(run: Callable[[Batch], object], batches: Sequence[Batch]) -> list[float]:
    """Run batches one after the other; return the seconds of each."""
    seconds = []
    for batch in batches:
        start = time.perf_counter()
        run(batch)
        seconds.append(time.perf_counter() - start)
    return seconds


def interleave(turns: Mapping[Key, Turn], rounds: int) -> dict[Key, list[list[float]]]:
    """Run every contender once a round, in an order that moves on by one each round.

    Before each turn, wait until the threads of the last have gone to sleep.

    Args:
        turns: name → what runs one round, given its index, and returns the seconds of its calls.
        rounds: at least 1.

    Returns:
        Name → for each round, the seconds of its calls.
    """
    names = list(turns)
    seconds: dict[Key, list[list[float]]] = {name: [] for name in names}
    for index in range(rounds):
        start = index % len(names)
        for name in names[start:] + names[:start]:
            time.sleep(IDLE_SECONDS)
            seconds[name].append(turns[name](index))
    return seconds
