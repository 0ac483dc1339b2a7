"""The numbers of docs/bulk.md, each by its name on the command line.

Those of the graph by itself, of the whole way and of the answers are measured in this process.
"""

from __future__ import annotations

import random
import shlex
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.bulk import process
from core import recipe as recipes
from core.artifact.graph import Graph
from core.data.table import SplitName
from core.errors import ScoreError
from core.timing import median, ratio
from score.engines import local
from score.engines.local import Columns
from score.input.corpus import survey
from score.job import run
from score.options import Options
from score.output.segments import Segments
from score.scorer import BATCH_TOKENS, Scorer, batches

BUDGETS = (128, 256, 512, 1024, 2048, 4096)
Ids = Sequence[Sequence[int]]
Texts = Sequence[str]


def write_texts(path: Path, texts: Texts) -> Path:
    """Write a corpus of one column."""
    pq.write_table(pa.table({"text": pa.array(texts, pa.string())}), path)
    return path


def _cut(ids: Ids, budget: int) -> list[Ids]:
    return [[ids[i] for i in batch] for batch in batches([len(row) for row in ids], budget)]


def _texts_per_second(graph: Graph, cut: list[Ids], callers: int) -> float:
    start = time.perf_counter()
    with ThreadPoolExecutor(callers) as pool:
        for _ in pool.map(graph.run, cut):
            pass
    return sum(map(len, cut)) / (time.perf_counter() - start)


def _sweep(options: Options, texts: Texts, rounds: int) -> list[dict[str, Any]]:
    """Return the graph's rate by batch budget: one caller of n threads, and n callers of one thread.

    Token ids are made before, all texts are sorted by length; medians of interleaved rounds.
    """
    callers = options.callers
    ids = Scorer(options.artifact, options.variant).encode(texts).ids
    graphs = {1: Graph(options.graph, callers), callers: Graph(options.graph, 1)}
    measured: dict[tuple[int, int], list[float]] = {}
    for _ in range(rounds):
        for budget in BUDGETS:
            cut = _cut(ids, budget)
            for count, graph in graphs.items():
                measured.setdefault((budget, count), []).append(_texts_per_second(graph, cut, count))
    return [
        {"tokens": budget, "callers": n, "threads": callers // n, "texts_per_second": median(rates)}
        for (budget, n), rates in measured.items()
    ]


def _rate(options: Options, texts: Texts, budget: int, rounds: int) -> dict[str, Any]:
    """Return the rate of the whole way, from Parquet to Parquet, and of the graph by itself, in turns.

    The graph has its token ids and has all texts sorted, in batches of `budget` tokens, n callers. The whole
    way's time has everything from the look at the input to the finished file, loading the model too.
    """
    ids = Scorer(options.artifact, options.variant).encode(texts).ids
    graph, cut = Graph(options.graph, 1), _cut(ids, budget)
    alone, whole = [], []
    for _ in range(rounds):
        alone.append(_texts_per_second(graph, cut, options.callers))
        start = time.perf_counter()
        run(options)
        whole.append(len(texts) / (time.perf_counter() - start))
    both = {"graph": median(alone), "score": median(whole)}
    return {**both, "ratio": ratio(whole, alone).median, "rounds": {"graph": alone, "score": whole}}


def _edges(options: Options) -> dict[str, float]:
    """Return rows/s of what is done once for all nodes: looking at and reading the input, writing the output.

    The windows that are written are one scored window, over and over, as many rows as the input has.
    """
    start = time.perf_counter()
    source = survey(options.input, options.text_column, options.form.kind)
    rows = sum(map(len, source.windows()))
    read = rows / (time.perf_counter() - start)
    scorer = Scorer(options.artifact, options.variant)
    columns = Columns(scorer.labels, options.probabilities)
    first = iter([next(source.windows())])
    (scored,) = local.score(first, scorer, columns, options.text_column, options.callers)
    segments = Segments(options.output, options.form, {}, scored.schema)
    start, written = time.perf_counter(), 0
    try:
        segments.open(resume=False)
        while written < rows:
            segments.append(scored)
            written += len(scored)
        segments.finish()
    finally:
        segments.close()
    seconds = time.perf_counter() - start
    return {"read": read, "write": written / seconds, "bytes_a_row": options.output.stat().st_size / written}


def _alone(options: Options, texts: Texts) -> dict[str, Any]:
    """Return how the bulk answers differ from those of one text at a time."""
    run(replace(options, probabilities=True))
    table = pq.read_table(options.output)
    scorer = Scorer(options.artifact, options.variant)
    probabilities = np.stack([table.column(name).to_numpy() for name in scorer.labels], axis=1)
    worst, flips = 0.0, 0
    for text, ours, labels in zip(texts, probabilities, table.column("labels").to_pylist(), strict=True):
        answer = scorer.run([scorer.encode([text]).ids[0]])
        worst = max(worst, float(np.abs(answer.probabilities[0] - ours).max()))
        decided = [name for name, yes in zip(scorer.labels, answer.predictions[0], strict=True) if yes]
        flips += decided != labels
    if table.num_rows != len(texts):
        raise ScoreError(f"{options.output}: found {table.num_rows} rows, expected {len(texts)}")
    return {"texts": len(texts), "max_probability_difference": worst, "texts_decided_otherwise": flips}


def _once(options: Options) -> dict[str, float]:
    # The first run loads the model; the second is what a long run's every window costs.
    run(options)
    summary = run(options)
    return {"texts": summary.rows, "seconds": summary.seconds}


_MEASUREMENTS: dict[str, Callable[[Options, Texts, Namespace], Any]] = {
    "sweep": lambda options, texts, given: _sweep(options, texts, given.rounds),
    "rate": lambda options, texts, given: _rate(options, texts, given.tokens or BATCH_TOKENS, given.rounds),
    "edges": lambda options, _, given: _edges(replace(options, probabilities=given.probabilities)),
    "alone": lambda options, texts, _: _alone(options, texts),
    "memory": lambda options, _, given: process.memory(options, given.seconds),
    "kills": lambda options, _, given: process.kills(
        replace(options, checkpoint_seconds=given.checkpoint_seconds), given.kills
    ),
    "against": lambda options, _, given: process.against(options, shlex.split(given.other), given.rounds),
}


def read_texts(recipe: Path, split: SplitName, rows: int | None, scratch: Path) -> Texts:
    """Return a split's texts, the first `rows` of them, or as many as that, drawn again."""
    texts = recipes.required_data(recipes.load(recipe), recipe, scratch).read(split).texts
    if rows is None or rows <= len(texts):
        return texts[:rows]
    return random.Random(0).choices(texts, k=rows)


def _joined(texts: Texts, count: int) -> Texts:
    """Return as many texts, each of `count` that follow each other."""
    return [" ".join(texts[(n + k) % len(texts)] for k in range(count)) for n in range(len(texts))]


def measure(arguments: Namespace) -> Any:
    """Run the measurement that the arguments name; return its figures.

    Raises:
        ToolchainError: the artifact or the data set cannot be had, or a run fails.
    """
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        options = Options(arguments.artifact, "", scratch / "out.parquet", variant=arguments.variant)
        if arguments.measurement == "once":
            return _once(replace(options, input=arguments.file))
        texts = read_texts(arguments.recipe, arguments.split, arguments.rows, scratch)
        texts = _joined(texts, arguments.join)
        options = replace(options, input=str(write_texts(scratch / "in.parquet", texts)))
        return _MEASUREMENTS[arguments.measurement](options, texts, arguments)
