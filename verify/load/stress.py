"""`python -m verify stress ARTIFACT`: run every variant on random batches, and on what it must refuse.

Of every answer: finite, probabilities from 0 to 1 (a single-label artifact's add up to 1), `predictions`
exactly what `core.decisions.decide` makes of probabilities and thresholds, and a text of the batch answered
alone, without its padding, as in the batch.
Batches are named by seed and number, so that a run can be split, and a violation seen again.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.artifact import manifest
from core.artifact.graph import Graph
from core.contract import ATTENTION_MASK, INPUT_IDS, LOGITS, PREDICTIONS, PROBABILITIES, SINGLE_LABEL
from core.decisions import SUM_TOLERANCE, decide, threshold_vector
from core.errors import ArtifactError, GateError
from core.untrusted import json_file
from core.untrusted.limited.process import CallError
from verify.load import inputs

_CONFIG_FILE = "config.json"
# Float32 rounds otherwise with other rows about; a text that `guarded` asks twice in one only is further off.
_ALONE = 1e-6


@dataclass(frozen=True)
class Sizes:
    """How many tokens there are, and how long a text may be."""

    vocabulary: int
    positions: int


@dataclass
class Report:
    """Count a variant's batches, and list what was wrong with them."""

    batches: int = 0
    tokens: int = 0
    seconds: float = 0.0
    odd: int = 0
    violations: list[str] = field(default_factory=list)


def sizes(folder: Path) -> Sizes:
    """Read an artifact's sizes.

    Raises:
        ArtifactError: `config.json` is missing, or states none.
    """
    path = folder / _CONFIG_FILE
    config = json_file.read_object(path, ArtifactError)
    stated = [config.get(key) for key in ("vocab_size", "max_position_embeddings")]
    vocabulary, positions = (n if isinstance(n, int) and n > 0 else None for n in stated)
    if vocabulary is None or positions is None:
        raise ArtifactError(f"{path}: vocab_size, max_position_embeddings: found {stated}, expected sizes")
    return Sizes(vocabulary, positions)


def _answers(graph: Graph, feeds: inputs.Feeds) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None]:
    """Return all float answers side by side, and the predictions of the stacked contract."""
    stacked = {LOGITS, PROBABILITIES, PREDICTIONS} <= {value.name for value in graph.session.get_outputs()}
    names = [LOGITS, PROBABILITIES, PREDICTIONS] if stacked else graph.labels
    answers = graph.session.run(names, feeds)
    return np.stack(answers[:2] if stacked else answers), answers[2] if stacked else None


def _alone(graph: Graph, feeds: inputs.Feeds, row: int, answer: NDArray[np.float32]) -> str | None:
    """Run a row of a batch by itself, to its last token; return how far that is from its answer, or None."""
    length = int(np.flatnonzero(feeds[ATTENTION_MASK][row]).max(initial=0)) + 1
    try:
        numbers, predictions = _answers(graph, {name: a[row : row + 1, :length] for name, a in feeds.items()})
    except CallError as error:
        return f"text {row} alone: fails: {error}"
    found = numbers[1, 0] if predictions is not None else numbers[:, 0]
    change = float(abs(found - answer).max())
    if change <= _ALONE:
        return None
    return f"text {row} alone: a probability changes by {change:.1e}, expected at most {_ALONE:g}"


def violation(graph: Graph, feeds: inputs.Feeds, alone: int | None = None) -> str | None:
    """Run a batch, and the row `alone` by itself; return what is wrong with the answers, or None.

    Raises:
        ArtifactError: it takes more time than it may, or the process with it.
    """
    rows = len(feeds[INPUT_IDS])
    try:
        numbers, predictions = _answers(graph, feeds)
    except CallError as error:
        return f"fails: {error}"
    probabilities = numbers[1] if predictions is not None else numbers
    width = len(graph.labels) if predictions is not None else 2
    if numbers.shape[1:] != (rows, width):
        return f"answers of shape {numbers.shape[1:]}, expected {(rows, width)}"
    if not np.isfinite(numbers).all():
        return f"{int((~np.isfinite(numbers)).sum())} answers are not finite"
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        return f"probabilities from {probabilities.min()} to {probabilities.max()}"
    thresholds = threshold_vector(graph.thresholds, graph.labels)
    kind = graph.metadata.problem_type
    sums = probabilities.sum(axis=1, dtype=np.float64)
    if kind == SINGLE_LABEL and (abs(sums - 1) > SUM_TOLERANCE).any():
        return f"probabilities that add up to {sums.min()} to {sums.max()}, expected 1"
    if predictions is not None and not np.array_equal(predictions, decide(probabilities, thresholds, kind)):
        return "predictions are not what thresholds make of the probabilities"
    return None if alone is None else _alone(graph, feeds, alone, probabilities[..., alone, :])


def check_odd(graph: Graph, given: Sizes, report: Report) -> None:
    """Run what must be refused, and batches of no texts."""
    for name, feeds in inputs.refused(given.vocabulary, given.positions):
        report.odd += 1
        try:
            _answers(graph, feeds)
        except CallError:  # any error of the runtime is right
            continue
        report.violations.append(f"{name}: answered, expected an error")
    for name, feeds in inputs.empty():
        report.odd += 1
        wrong = violation(graph, feeds)
        if wrong:
            report.violations.append(f"{name}: {wrong}")


def check_batches(graph: Graph, given: Sizes, seed: int, first: int, count: int, report: Report) -> None:
    """Run random batches."""
    start = time.monotonic()
    for number in range(first, first + count):
        batch = inputs.random_batch(seed, number, given.vocabulary, given.positions)
        wrong = violation(graph, batch, number % len(batch[INPUT_IDS]))
        report.batches += 1
        report.tokens += int(np.count_nonzero(batch[ATTENTION_MASK]))
        if wrong:
            report.violations.append(f"batch {seed}/{number} {batch[INPUT_IDS].shape}: {wrong}")
    report.seconds = time.monotonic() - start


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads besides the artifact."""
    parser.add_argument("--batches", type=int, default=10_000, help="of each variant")
    parser.add_argument("--first", type=int, default=0, help="number of the first, to go on with a run")
    parser.add_argument("--seed", type=int, default=0, help="of what is random")
    parser.add_argument("--threads", type=int, default=0, help="of a session; 0: as many as there are CPUs")
    parser.add_argument("--variant", action="append", help="such as int8; may be repeated (default: all)")


def run(given: argparse.Namespace) -> None:
    """Stress an artifact's variants, and print a line of figures for each.

    Raises:
        ArtifactError: the artifact cannot be read, or a graph takes more time than it may.
        GateError: there were violations; the message names the first of each variant.
    """
    limits = sizes(given.artifact)
    failed = []
    for variant in manifest.variants(given.artifact):
        if given.variant and variant.name not in given.variant:
            continue
        graph, report = Graph(variant.file, threads=given.threads), Report()
        check_odd(graph, limits, report)
        check_batches(graph, limits, given.seed, given.first, given.batches, report)
        print(
            f"{variant.name}: {report.batches:,} random batches ({given.seed}/{given.first} on), "
            f"{report.tokens:,} tokens, {report.seconds:.0f} s; {report.odd} odd inputs; "
            f"{len(report.violations)} violations",
            flush=True,
        )
        failed += [f"{variant.name}: {wrong}" for wrong in report.violations[:3]]
    if failed:
        raise GateError("; ".join(failed))
