"""One run of the benchmark: everybody in turns, one number of threads after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bench.contenders.bare_products import Product
from bench.contenders.contenders import Contender
from bench.contenders.protocol import Worker, started
from bench.measure import cache_line, texts
from bench.measure.floor import Shape, macs
from bench.measure.plan import Plan
from bench.measure.rounds import by_cache, measurements, run_rounds
from bench.measure.sweep import flatness, flatness_by_cache, sweep
from core.timing import spread

_TIMEOUT_SECONDS = 300.0
_AGREEMENT_TEXTS = 32
Log = Callable[[str], None]


@dataclass(frozen=True)
class Setup:
    """Who runs, and what the floor and the sweeps need to know of the encoder."""

    contenders: Sequence[Contender]
    bare_products: Contender
    products: Sequence[Product]
    shape: Shape
    max_length: int


def _probability_errors(
    workers: Mapping[str, Worker], ids: texts.Ids, contenders: Sequence[Contender]
) -> dict[str, float]:
    """Return name → largest difference of a probability from the first contender's, on some texts."""
    ours = [each for each in contenders if not each.peer]
    answers = {each.name: np.array(workers[each.name].probabilities(ids)) for each in ours}
    first = answers[contenders[0].name]
    return {name: float(abs(own - first).max()) for name, own in answers.items()}


def _process(worker: Worker) -> dict[str, Any]:
    """Return what a contender's process took: `load_seconds` its files, `start_seconds` all of it."""
    return {
        "load_seconds": worker.ready["load_seconds"],
        "start_seconds": worker.start_seconds,
        "peak_memory_bytes": worker.peak_bytes,
        "size_bytes": worker.ready["size_bytes"],
        "versions": worker.ready["versions"],
    }


def run(setup: Setup, ids: texts.Ids, plan: Plan, log: Log) -> dict[str, Any]:
    """Measure all contenders on `ids`, the token ids of texts in natural order.

    Returns:
        The measurements, as `bench.json` has them.

    Raises:
        BenchmarkError: a contender's file is missing, or it dies, answers wrongly or not at all.
    """
    length = setup.max_length
    slices = texts.slices(ids, plan.texts, plan.rounds)
    average = texts.tokens(slices) / sum(len(each) for each in slices)
    per_text = macs(setup.shape, average)
    result: dict[str, Any] = {"plan": asdict(plan), "average_tokens": average, "macs_per_text": per_text}
    result |= {"processes": [], "floors": [], "measurements": [], "by_cache": []}
    for threads in plan.threads:
        contenders = [each for each in setup.contenders if each.least_threads <= threads]
        commands = {each.name: each.command(threads) for each in (*contenders, setup.bare_products)}
        with (
            cache_line.opened() if threads > 1 else nullcontext() as round_trip,
            started(commands, _TIMEOUT_SECONDS) as workers,
        ):
            errors = _probability_errors(workers, ids[:_AGREEMENT_TEXTS], contenders)
            rounds = {}
            for size in plan.sizes:
                batches = [texts.batches(each, size) for each in slices]
                rounds[size] = run_rounds(
                    workers, contenders, batches, setup.products, setup.shape, round_trip
                )
            peaks = [each.peaks for same_size in rounds.values() for each in same_size]
            best = {precision: max(each[precision] for each in peaks) for precision in sorted(peaks[0])}
            for size, measured in rounds.items():
                place = {"threads": threads, "batch": size}
                result["measurements"] += [place | row for row in measurements(measured, contenders, best)]
                if (kinds := by_cache(measured, contenders, best)) is not None:
                    result["by_cache"].append(place | kinds)
            for precision, peak in best.items():
                rates = asdict(spread([each[precision] for each in peaks]))
                floor = {"threads": threads, "precision": precision, "peak_macs_per_second": rates}
                result["floors"].append({**floor, "texts_per_second": peak / per_text})
            for each in contenders:
                record = {"contender": each.name, "threads": threads, **_process(workers[each.name])}
                result["processes"].append({**record, "max_probability_error": errors.get(each.name)})
            log(f"threads {threads}: {plan.rounds} rounds of {plan.texts} texts a batch size")
            if plan.sweep_rounds and threads == max(plan.threads):
                by_length, by_size = texts.by_length(ids, length), texts.by_size(ids, length)
                result["by_length"] = sweep(workers, by_length, plan.sweep_rounds, round_trip)
                result["by_batch"] = sweep(workers, by_size, plan.sweep_rounds, round_trip)
                result["by_batch_max_over_min"] = flatness(result["by_batch"])
                result["by_batch_max_over_min_by_cache"] = flatness_by_cache(result["by_batch"])
                log(f"threads {threads}: cost of a token by length and by batch size")
    return result
