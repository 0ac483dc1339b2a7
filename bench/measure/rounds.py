"""The rounds of one batch size, and what they come to: a row of figures for each contender.

In a round every contender has one turn, and the bare products have two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

from bench.contenders.bare_products import Product
from bench.contenders.contenders import BARE_PRODUCTS, Contender
from bench.contenders.protocol import Worker
from bench.measure.cache_line import STEADY, CacheSharing, RoundTrip, cache_sharing
from bench.measure.floor import Shape, macs, peaks
from bench.measure.texts import Ids
from core.timing import Turn, interleave, percentile_ms, ratio, spread

_WARM_UP_BATCHES = 4
_PRODUCT_CALLS = 5
_AGAIN = f"{BARE_PRODUCTS} again"


@dataclass(frozen=True)
class Round:
    """What a round held, and what it took.

    Every contender ran the same texts: their number, their real tokens, and the MACs these need. `seconds` is
    contender → the seconds of its calls; `peaks` is precision → MAC/s of the fastest call of a bare product;
    `round_trips_ns` is a cache line's round trip before each turn, empty where that was not measured.
    """

    texts: int
    tokens: int
    macs: float
    seconds: dict[str, list[float]]
    peaks: dict[str, float]
    round_trips_ns: list[float]


def run_rounds(
    workers: Mapping[str, Worker],
    contenders: Sequence[Contender],
    rounds: Sequence[Sequence[Ids]],
    products: Sequence[Product],
    shape: Shape,
    round_trip: RoundTrip | None = None,
) -> list[Round]:
    """Warm everybody up, then run the rounds.

    The products' two turns are half a round apart, so that a peak hangs on no single moment of it.

    Args:
        workers: name → process, of all contenders and of the products.
        contenders: who runs, in order.
        rounds: for each round, the batches everybody runs.
        products: what the products' process holds, in its order.
        shape: the encoder's, from which the MACs follow.
        round_trip: measures a cache line's round trip.

    Raises:
        BenchmarkError: a process ends, answers with something else, or takes too long.
    """
    calls = [index for index in range(len(products)) for _ in range(_PRODUCT_CALLS)]
    round_trips: list[list[float]] = [[] for _ in rounds]

    def turn(worker: Worker, batches: Sequence[Sequence[Ids]]) -> Turn:
        def run(index: int) -> list[float]:
            if round_trip is not None:
                round_trips[index].append(round_trip())
            return worker.seconds(batches[index])

        return run

    bare = turn(workers[BARE_PRODUCTS], [[[[index]] for index in calls]] * len(rounds))
    turns = [(each.name, turn(workers[each.name], rounds)) for each in contenders]
    middle = len(turns) // 2
    for each in contenders:
        workers[each.name].seconds(rounds[0][:_WARM_UP_BATCHES])
    order = [(BARE_PRODUCTS, bare), *turns[:middle], (_AGAIN, bare), *turns[middle:]]
    seconds = interleave(dict(order), len(rounds))
    first, again = seconds.pop(BARE_PRODUCTS), seconds.pop(_AGAIN)
    measured = []
    for index, batches in enumerate(rounds):
        lengths = [len(text) for batch in batches for text in batch]
        measured.append(
            Round(
                len(lengths),
                sum(lengths),
                sum(macs(shape, length) for length in lengths),
                {name: turns[index] for name, turns in seconds.items()},
                peaks(products, list(zip(calls * 2, first[index] + again[index], strict=True))),
                round_trips[index],
            )
        )
    return measured


def measurements(
    rounds: Sequence[Round], contenders: Sequence[Contender], best: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Return a row for each contender; a peer's has no share of the floor, which is of the encoder's shape.

    Args:
        rounds: what they took, and what the machine could do in each; at least one.
        contenders: whom to report, in order.
        best: precision → MAC/s of the best of all rounds with this number of threads.
    """
    totals = {each.name: [sum(r.seconds[each.name]) for r in rounds] for each in contenders}
    rows = []
    for each in contenders:
        own = totals[each.name]
        calls = [seconds for r in rounds for seconds in r.seconds[each.name]]
        texts, tokens, macs = (
            [getattr(r, amount) / seconds for r, seconds in zip(rounds, own, strict=True)]
            for amount in ("texts", "tokens", "macs")
        )
        row = {
            "contender": each.name,
            "texts_per_second": asdict(spread(texts)),
            "tokens_per_second": asdict(spread(tokens)),
            "latency_ms": {"p50": percentile_ms(calls, 50), "p99": percentile_ms(calls, 99)},
            "calls": len(calls),
            "times_as_fast_as": {
                name: asdict(ratio(theirs, own)) for name, theirs in totals.items() if name != each.name
            },
            "rounds_texts_per_second": texts,
        }
        if not each.peer:
            row |= {
                "share_of_floor": asdict(ratio(macs, [r.peaks[each.precision] for r in rounds])),
                "share_of_best_floor": asdict(spread([rate / best[each.precision] for rate in macs])),
            }
        rows.append(row)
    return rows


def by_cache(
    rounds: Sequence[Round], contenders: Sequence[Contender], best: Mapping[str, float]
) -> dict[str, Any] | None:
    """Tell rounds in which the CPUs shared a cache from those in which they did not.

    The arguments are those of `measurements`.

    Returns:
        The round trips, the number of rounds of each kind, and the measurements of each steady kind; None
        where no round trips were measured.
    """
    if not all(r.round_trips_ns for r in rounds):
        return None
    kinds: dict[CacheSharing, list[Round]] = {
        kind: [r for r in rounds if cache_sharing(r.round_trips_ns) == kind]
        for kind in get_args(CacheSharing)
    }
    return {
        "round_trip_ns": asdict(spread([trip for r in rounds for trip in r.round_trips_ns])),
        "rounds": {kind: len(members) for kind, members in kinds.items()},
        "measurements": {kind: measurements(kinds[kind], contenders, best) for kind in STEADY if kinds[kind]},
    }
