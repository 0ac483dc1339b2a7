"""What the benchmark measures in this process: the graph by itself, the whole way, and the answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.artifact.graph import Graph
from core.errors import ScoreError
from score.engines import local
from score.input.survey import kind, survey
from score.job import run
from score.options import Options
from score.output.columns import Columns
from score.output.parts import Parts
from score.scorer import Scorer, batches

BUDGETS = (128, 256, 512, 1024, 2048, 4096)
Ids = Sequence[Sequence[int]]


def write_texts(path: Path, texts: Sequence[str]) -> Path:
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


def sweep(options: Options, texts: Sequence[str], rounds: int) -> list[dict[str, Any]]:
    """Return the graph's rate by batch budget: one caller of n threads, and n callers of one thread.

    Token ids are made before, all texts are sorted by length; medians of interleaved rounds.
    """
    callers = options.callers
    ids = Scorer(options.artifact, options.variant).encode(texts).ids
    graphs = {1: Graph(options.graph, callers), callers: Graph(options.graph, 1)}
    found: dict[tuple[int, int], list[float]] = {}
    for _ in range(rounds):
        for budget in BUDGETS:
            cut = _cut(ids, budget)
            for count, graph in graphs.items():
                found.setdefault((budget, count), []).append(_texts_per_second(graph, cut, count))
    return [
        {
            "tokens": budget,
            "callers": count,
            "threads": callers // count,
            "texts_per_second": np.median(rates),
        }
        for (budget, count), rates in found.items()
    ]


def rate(options: Options, texts: Sequence[str], budget: int, rounds: int) -> dict[str, Any]:
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
    both = {"graph": float(np.median(alone)), "score": float(np.median(whole))}
    ratios = [ours / own for ours, own in zip(whole, alone, strict=True)]
    return {**both, "ratio": float(np.median(ratios)), "rounds": {"graph": alone, "score": whole}}


def edges(options: Options) -> dict[str, float]:
    """Return rows/s of what is done once for all nodes: looking at and reading the input, writing the output.

    The windows that are written are one scored window, over and over, as many rows as the input has.
    """
    start = time.perf_counter()
    source = survey(options.input, options.text_column)
    rows = sum(map(len, source.windows()))
    read = rows / (time.perf_counter() - start)
    scorer = Scorer(options.artifact, options.variant)
    columns = Columns(scorer.labels, options.probabilities)
    first = iter([next(source.windows())])
    (scored,) = local.score(first, scorer, columns, options.text_column, options.callers)
    parts = Parts(options.output, kind(options.output), {}, scored.schema)
    start, written = time.perf_counter(), 0
    try:
        parts.open(resume=False)
        while written < rows:
            parts.append(scored)
            written += len(scored)
        parts.finish()
    finally:
        parts.close()
    seconds = time.perf_counter() - start
    return {"read": read, "write": written / seconds, "bytes_a_row": options.output.stat().st_size / written}


def alone(options: Options, texts: Sequence[str]) -> dict[str, Any]:
    """Return how the bulk answers differ from those of one text at a time."""
    run(replace(options, probabilities=True))
    found = pq.read_table(options.output)
    scorer = Scorer(options.artifact, options.variant)
    probabilities = np.stack([found.column(name).to_numpy() for name in scorer.labels], axis=1)
    worst, flips = 0.0, 0
    for text, ours, labels in zip(texts, probabilities, found.column("labels").to_pylist(), strict=True):
        answer = scorer.run([scorer.encode([text]).ids[0]])
        worst = max(worst, float(np.abs(answer.probabilities[0] - ours).max()))
        decided = [name for name, yes in zip(scorer.labels, answer.predictions[0], strict=True) if yes]
        flips += decided != labels
    if found.num_rows != len(texts):
        raise ScoreError(f"{options.output}: found {found.num_rows} rows, expected {len(texts)}")
    return {"texts": len(texts), "max_probability_difference": worst, "texts_decided_otherwise": flips}
