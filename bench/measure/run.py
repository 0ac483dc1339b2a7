"""One run of the benchmark: everybody interleaved, one number of threads after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench.contenders.contenders import Contender, products
from bench.contenders.process import Worker, started
from bench.measure import cache_line
from bench.measure import floor as floors
from bench.measure import texts as texts
from bench.measure.measurements import measurements, process, work
from bench.measure.phase import phases
from bench.measure.rounds import run_rounds
from bench.measure.sweep import flatness, flatness_by_phase, sweep
from core.timing import spread

_TIMEOUT_SECONDS = 300.0
_AGREEMENT_TEXTS = 32
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How much is run; `texts` is per round and contender, `sweep_rounds` 0 leaves the sweeps out."""

    rounds: int = 7
    texts: int = 64
    threads: tuple[int, ...] = (1, 2)
    sizes: tuple[int, ...] = (1, 8, 32)
    sweep_rounds: int = 3


@dataclass(frozen=True)
class Encoder:
    """What the floor and the sweeps need to know of the encoder."""

    shape: floors.Shape
    max_length: int
    products: list[floors.Product]


def _agreement(workers: Mapping[str, Worker], ids: texts.Ids, contenders: Sequence[Contender]) -> Any:
    """Return name → largest difference of a probability from the first contender's, on some texts."""
    found = [np.array(workers[one.name].probabilities(ids[:_AGREEMENT_TEXTS])) for one in contenders]
    return {one.name: float(abs(mine - found[0]).max()) for one, mine in zip(contenders, found, strict=True)}


def _threads(
    workers: Mapping[str, Worker],
    contenders: Sequence[Contender],
    encoder: Encoder,
    rounds_ids: Sequence[texts.Ids],
    plan: Plan,
    trip: cache_line.RoundTrip | None,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the measurements, the peaks and the phases of one number of threads."""
    by_size = {}
    for size in plan.sizes:
        rounds = [texts.batches(one, size) for one in rounds_ids]
        times = run_rounds(workers, contenders, rounds, encoder.products, trip)
        by_size[size] = times, work(rounds, encoder.shape)
    peaks = [peak for times, _ in by_size.values() for peak in times.peaks]
    best = {kind: max(peak[kind] for peak in peaks) for kind in peaks[0]}
    rows = [
        {"batch": size, **row}
        for size, (times, done) in by_size.items()
        for row in measurements(times, done, contenders, best)
    ]
    kinds = [
        {"precision": kind, "peak_macs_per_second": asdict(spread([peak[kind] for peak in peaks]))}
        for kind in sorted(best)
    ]
    by_phase = [
        {"batch": size, **found}
        for size, (times, done) in by_size.items()
        if (found := phases(times, done, contenders, best)) is not None
    ]
    return rows, kinds, by_phase


def run(
    contenders: Sequence[Contender], encoder: Encoder, ids: texts.Ids, plan: Plan, say: Say
) -> dict[str, Any]:
    """Measure all contenders on `ids`, the token ids of texts in natural order.

    Returns:
        The measurements, as `bench.json` has them.

    Raises:
        BenchmarkError: a contender's file is missing, or it dies, answers wrongly or not at all.
    """
    listed = [*contenders, products([product.file for product in encoder.products])]
    rounds_ids = texts.slices(ids, plan.texts, plan.rounds)
    average = texts.tokens(rounds_ids) / sum(len(one) for one in rounds_ids)
    macs = floors.macs(encoder.shape, average)
    found: dict[str, Any] = {"plan": asdict(plan), "average_tokens": average, "macs_per_text": macs}
    found |= {"processes": [], "floors": [], "measurements": [], "phases": []}
    for threads in plan.threads:
        with (
            cache_line.opened() if threads > 1 else nullcontext() as trip,
            started({one.name: one.command(threads) for one in listed}, _TIMEOUT_SECONDS) as workers,
        ):
            agreement = _agreement(workers, ids, contenders)
            rows, peaks, by_phase = _threads(workers, contenders, encoder, rounds_ids, plan, trip)
            found["measurements"] += [{"threads": threads, **row} for row in rows]
            found["phases"] += [{"threads": threads, **one} for one in by_phase]
            for peak in peaks:
                floor = peak["peak_macs_per_second"]["high"] / macs
                found["floors"].append({"threads": threads, **peak, "texts_per_second": floor})
            for one in contenders:
                record = {"contender": one.name, "threads": threads, **process(workers[one.name])}
                found["processes"].append({**record, "max_probability_error": agreement[one.name]})
            say(f"threads {threads}: {plan.rounds} rounds of {plan.texts} texts a batch size")
            if plan.sweep_rounds and threads == max(plan.threads):
                length = encoder.max_length
                found["by_length"] = sweep(workers, texts.by_length(ids, length), plan.sweep_rounds, trip)
                found["by_batch"] = sweep(workers, texts.by_size(ids, length), plan.sweep_rounds, trip)
                found["by_batch_max_over_min"] = flatness(found["by_batch"])
                found["by_batch_max_over_min_by_phase"] = flatness_by_phase(found["by_batch"])
                say(f"threads {threads}: cost of a token by length and by batch size")
    return found
