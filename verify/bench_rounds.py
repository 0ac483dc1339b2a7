"""The rounds of one batch size: every contender once a round, and the bare products twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from verify import bench_floor as floors
from verify import bench_texts as texts
from verify.bench_contenders import PRODUCTS, Contender
from verify.bench_process import Worker
from verify.bench_statistics import Turn, interleave

_WARM_UP_BATCHES = 4
_PRODUCT_CALLS = 5
_AGAIN = f"{PRODUCTS} again"


@dataclass(frozen=True)
class Times:
    """What the rounds took, in the rounds' order.

    `seconds` is contender → for each round, the seconds of its calls; `peaks` is for each round,
    precision → MAC/s of the fastest call of a bare product in it.
    """

    seconds: dict[str, list[list[float]]]
    peaks: list[dict[str, float]]


def _turn(worker: Worker, rounds: Sequence[Sequence[texts.Ids]]) -> Turn:
    return lambda index: worker.seconds(rounds[index])


def run_rounds(
    workers: Mapping[str, Worker],
    contenders: Sequence[Contender],
    rounds: Sequence[Sequence[texts.Ids]],
    products: Sequence[floors.Product],
) -> Times:
    """Warm everybody up, then run the rounds.

    The products' two turns are half a round apart, so that a peak hangs on no single moment of it.

    Args:
        workers: name → process, of all contenders and of the products.
        contenders: who runs, in order.
        rounds: for each round, the batches everybody runs.
        products: what the products' process holds, in its order.

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
    seconds = interleave(dict(listed), len(rounds))
    both = zip(seconds.pop(PRODUCTS), seconds.pop(_AGAIN), strict=True)
    calls = [list(zip(order * 2, first + again, strict=True)) for first, again in both]
    return Times(seconds, [floors.peaks(products, one) for one in calls])
