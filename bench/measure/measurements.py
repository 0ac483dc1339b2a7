"""What the times of the rounds come to: one row a contender, for one number of threads and batch size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.contenders.contenders import Contender
from bench.contenders.process import Worker
from bench.measure import floor as floors
from bench.measure import texts as texts
from bench.measure.rounds import Times
from core.timing import percentile_ms, ratio, spread


@dataclass(frozen=True)
class Work:
    """What everybody did in each round: texts, real tokens, and the MACs they need."""

    texts: list[int]
    tokens: list[int]
    macs: list[float]

    def only(self, rounds: Sequence[int]) -> Work:
        """Return the work of some of the rounds."""
        return Work(
            [self.texts[index] for index in rounds],
            [self.tokens[index] for index in rounds],
            [self.macs[index] for index in rounds],
        )


def work(rounds: Sequence[Sequence[texts.Ids]], shape: floors.Shape) -> Work:
    """Count the work of each round's batches."""
    rows = [[row for batch in one for row in batch] for one in rounds]
    return Work(
        [len(one) for one in rows],
        [sum(len(row) for row in one) for one in rows],
        [sum(floors.macs(shape, len(row)) for row in one) for one in rows],
    )


def _rates(amounts: Sequence[float], seconds: Sequence[float]) -> list[float]:
    return [amount / time for amount, time in zip(amounts, seconds, strict=True)]


def measurements(
    times: Times,
    done: Work,
    contenders: Sequence[Contender],
    best: Mapping[str, float],
) -> list[dict[str, Any]]:
    """Return a row a contender.

    Args:
        times: what the rounds took, and what the machine could do in each.
        done: what each round held.
        contenders: whom to report, in order.
        best: precision → MAC/s of the best of all rounds with this number of threads.
    """
    totals = {one.name: [sum(calls) for calls in times.seconds[one.name]] for one in contenders}
    rows = []
    for one in contenders:
        mine = totals[one.name]
        calls = [seconds for turn in times.seconds[one.name] for seconds in turn]
        macs, peaks = _rates(done.macs, mine), [peak[one.precision] for peak in times.peaks]
        rows.append(
            {
                "contender": one.name,
                "texts_per_second": asdict(spread(_rates(done.texts, mine))),
                "tokens_per_second": asdict(spread(_rates(done.tokens, mine))),
                "latency_ms": {"p50": percentile_ms(calls, 50), "p99": percentile_ms(calls, 99)},
                "calls": len(calls),
                "share_of_floor": asdict(ratio(macs, peaks)),
                "share_of_best_floor": asdict(spread([rate / best[one.precision] for rate in macs])),
                "times_as_fast_as": {
                    other.name: asdict(ratio(totals[other.name], mine))
                    for other in contenders
                    if other is not one
                },
                "rounds_texts_per_second": _rates(done.texts, mine),
            }
        )
    return rows


def process(worker: Worker) -> dict[str, Any]:
    """Return what a contender's process took: `load_seconds` its files, `start_seconds` all of it."""
    return {
        "load_seconds": worker.ready["load_seconds"],
        "start_seconds": worker.start_seconds,
        "peak_memory_bytes": worker.peak_bytes,
        "size_bytes": worker.ready["size_bytes"],
        "versions": worker.ready["versions"],
    }
