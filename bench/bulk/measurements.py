"""Which measurement is which: the numbers of docs/bulk.md, by the name on the command line."""

from __future__ import annotations

import random
import shlex
import tempfile
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.bulk import local, process
from core import dataset
from score.job import run
from score.options import Options
from score.scorer import BATCH_TOKENS

Texts = Sequence[str]


def _once(options: Options) -> dict[str, float]:
    # The first run loads the model; the second is what a long run's every window costs.
    run(options)
    summary = run(options)
    return {"texts": summary.rows, "seconds": summary.seconds}


def _nodes(options: Options, counts: Sequence[int]) -> dict[str, Any]:
    # An extra, in an environment of its own.
    from bench.bulk import ray_cluster

    return {
        "bytes_a_text": ray_cluster.object_store(options),
        "nodes": ray_cluster.scaling(options, counts),
    }


_MEASUREMENTS: dict[str, Callable[[Options, Texts, Namespace], Any]] = {
    "sweep": lambda options, texts, given: local.sweep(options, texts, given.rounds),
    "rate": lambda options, texts, given: local.rate(
        options, texts, given.tokens or BATCH_TOKENS, given.rounds
    ),
    "edges": lambda options, _, given: local.edges(replace(options, probabilities=given.probabilities)),
    "alone": lambda options, texts, _: local.alone(options, texts),
    "memory": lambda options, _, given: process.memory(options, given.seconds),
    "kills": lambda options, _, given: process.kills(options, given.kills),
    "against": lambda options, _, given: process.against(options, shlex.split(given.other), given.rounds),
    "nodes": lambda options, _, given: _nodes(options, given.nodes),
}


def read_texts(split: str, rows: int | None, scratch: Path) -> Texts:
    """Return the split's texts, the first `rows` of them, or as many as that, drawn again."""
    texts = dataset.read(split, scratch / "go_emotions").texts
    if rows is None or rows <= len(texts):
        return texts[:rows]
    return random.Random(0).choices(texts, k=rows)


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
        texts = read_texts(arguments.split, arguments.rows, scratch)
        options = replace(options, input=str(local.write_texts(scratch / "in.parquet", texts)))
        return _MEASUREMENTS[arguments.measurement](options, texts, arguments)
