"""The rounds of one batch size: every contender once a round, and the bare products twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.contenders.contenders import PRODUCTS, Contender
from bench.contenders.process import Worker
from bench.measure import floor as floors
from bench.measure import texts as texts
from bench.measure.cache_line import RoundTrip
from core.timing import Turn, interleave

_WARM_UP_BATCHES = 4
_PRODUCT_CALLS = 5
_AGAIN = f"{PRODUCTS} again"


@dataclass(frozen=True)
class Times:
    """What the rounds took, in the rounds' order.

    `seconds` is contender → for each round, the seconds of its calls; `peaks` is for each round,
    precision → MAC/s of the fastest call of a bare product in it; `round_trips_ns` is for each round,
    a cache line's round trip before each of its turns, none where that was not measured.
    """

    seconds: dict[str, list[list[float]]]
    peaks: list[dict[str, float]]
    round_trips_ns: list[list[float]]

    def only(self, rounds: Sequence[int]) -> Times:
        """Return the times of some of the rounds."""
        return Times(
            {name: [mine[index] for index in rounds] for name, mine in self.seconds.items()},
            [self.peaks[index] for index in rounds],
            [self.round_trips_ns[index] for index in rounds],
        )


def _turn(worker: Worker, rounds: Sequence[Sequence[texts.Ids]]) -> Turn:
    return lambda index: worker.seconds(rounds[index])


def _after(trip: RoundTrip | None, trips: Sequence[list[float]], turn: Turn) -> Turn:
    """Return a turn that adds a round trip to its round's before it runs."""

    def run(index: int) -> list[float]:
        if trip is not None:
            trips[index].append(trip())
        return turn(index)

    return run


def run_rounds(
    workers: Mapping[str, Worker],
    contenders: Sequence[Contender],
    rounds: Sequence[Sequence[texts.Ids]],
    products: Sequence[floors.Product],
    trip: RoundTrip | None = None,
) -> Times:
    """Warm everybody up, then run the rounds.

    The products' two turns are half a round apart, so that a peak hangs on no single moment of it.

    Args:
        workers: name → process, of all contenders and of the products.
        contenders: who runs, in order.
        rounds: for each round, the batches everybody runs.
        products: what the products' process holds, in its order.
        trip: measures a cache line's round trip.

    Raises:
        BenchmarkError: a process ends, answers with something else, or takes too long.
    """
    order = [index for index in range(len(products)) for _ in range(_PRODUCT_CALLS)]
    bare = _turn(workers[PRODUCTS], [[[[index]] for index in order]] * len(rounds))
    turns = [(one.name, _turn(workers[one.name], rounds)) for one in contenders]
    middle = len(turns) // 2
    for one in contenders:
        workers[one.name].seconds(rounds[0][:_WARM_UP_BATCHES])
    listed = [(PRODUCTS, bare), *turns[:middle], (_AGAIN, bare), *turns[middle:]]
    trips: list[list[float]] = [[] for _ in rounds]
    seconds = interleave({name: _after(trip, trips, turn) for name, turn in listed}, len(rounds))
    both = zip(seconds.pop(PRODUCTS), seconds.pop(_AGAIN), strict=True)
    calls = [list(zip(order * 2, first + again, strict=True)) for first, again in both]
    return Times(seconds, [floors.peaks(products, one) for one in calls], trips)
