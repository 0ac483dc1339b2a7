"""Measure one variant of each of two artifacts: decisions, F1 where the truth is known, and speed.

Speed is taken in interleaved rounds in one process: medians with their spread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import decisions
from core.artifact import manifest, tokens
from core.artifact.graph import Answers, Graph
from core.errors import ArtifactError, BenchmarkError
from core.runtime import TokenIds
from core.timing import Turn, call_seconds, interleave, ratio, spread
from verify.parity import changes
from verify.parity.parity import worst_first


@dataclass(frozen=True)
class Texts:
    """Some texts, run in batches of `batch_size`; `truth` has their labels where they are known.

    `labels` are those that the truth knows.
    """

    name: str
    texts: Sequence[str]
    batch_size: int
    truth: Sequence[frozenset[str]] | None = None
    labels: Sequence[str] = ()


@dataclass(frozen=True)
class Plan:
    """`rounds` of the first `texts` texts, in batches of each of `sizes`, on `threads` threads."""

    rounds: int = 7
    texts: int = 64
    sizes: tuple[int, ...] = (1, 32)
    threads: int = 1

    def check(self) -> None:
        """Refuse a plan that measures nothing.

        Raises:
            BenchmarkError: a number is below 1.
        """
        if min(self.rounds, self.texts, self.threads, *self.sizes) < 1:
            raise BenchmarkError(f"found {self}, expected every number to be at least 1")


class Side:
    """One variant of an artifact, opened."""

    def __init__(self, folder: Path, variant: manifest.Variant, threads: int) -> None:
        """Open it.

        Raises:
            ArtifactError: the graph cannot be read.
        """
        self.variant = variant
        self.graph = Graph(variant.file, threads)
        self.size_bytes = variant.file.stat().st_size
        self._tokenizer = folder / manifest.TOKENIZER_FILE

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return each text's token ids, by this artifact's own tokenizer."""
        return tokens.encode(self._tokenizer, texts)

    def answers(self, given: Texts, labels: Sequence[str]) -> Answers:
        """Return its answers, columns in the order of `labels`."""
        answers = self.graph.run_sorted(self.ids(given.texts), given.batch_size)
        places = {label: place for place, label in enumerate(self.graph.labels)}
        columns = [places[label] for label in labels]
        return Answers(
            answers.logits[:, columns], answers.probabilities[:, columns], answers.predictions[:, columns]
        )


def check_labels(a: Side, b: Side) -> None:
    """Refuse two graphs of other labels.

    Raises:
        ArtifactError: a label is in one of them alone.
    """
    apart = sorted(set(a.graph.labels) ^ set(b.graph.labels))
    if apart:
        raise ArtifactError(
            f"{a.variant.file} and {b.variant.file}: found different labels, expected the same; "
            f"in one of them alone: {', '.join(apart)}"
        )


def _worst(
    given: Texts, labels: Sequence[str], a: Answers, b: Answers, change: NDArray[np.float64]
) -> list[dict[str, Any]]:
    return [
        {
            **changes.stated(given.texts, row),
            "label": labels[column],
            "a": float(a.probabilities[row, column]),
            "b": float(b.probabilities[row, column]),
            "flipped": bool(a.predictions[row, column] != b.predictions[row, column]),
        }
        for row, column in (
            divmod(index, len(labels))
            for index in changes.chosen(worst_first(change), len(labels), given.texts)
        )
    ]


def _f1(given: Texts, labels: Sequence[str], answers: Answers) -> dict[str, Any]:
    """Return F1 per label and their mean, over the labels that the truth knows."""
    known = [label for label in labels if label in given.labels]
    columns = [labels.index(label) for label in known]
    f1 = decisions.count(
        decisions.truth_of(known, given.truth or ()), answers.predictions[:, columns]
    ).f_beta()
    return {"macro_f1": float(f1.mean()), "f1": dict(zip(known, f1.tolist(), strict=True))}


def on_texts(a: Side, b: Side, given: Texts) -> dict[str, Any]:
    """Return how often and how far A's and B's answers differ; F1 of both where the truth is known."""
    labels = a.graph.labels
    ours, theirs = a.answers(given, labels), b.answers(given, labels)
    change = abs(ours.probabilities.astype(np.float64) - theirs.probabilities)
    flipped = ours.predictions != theirs.predictions
    row: dict[str, Any] = {
        "name": given.name,
        "texts": len(given.texts),
        "flip_rate": float(flipped.any(axis=1).mean()),
        "flips": dict(zip(labels, flipped.sum(axis=0).tolist(), strict=True)),
        "max_probability_change": float(change.max()),
        "worst": _worst(given, labels, ours, theirs, change),
    }
    if given.truth is not None and given.labels:
        row |= {"a": _f1(given, labels, ours), "b": _f1(given, labels, theirs)}
    return row


def _turn(graph: Graph, ids: TokenIds, size: int) -> Turn:
    batches = [ids[start : start + size] for start in range(0, len(ids), size)]
    # onnxruntime plans its memory in the first run.
    graph.run(batches[0])
    return lambda _: call_seconds(graph.run, batches)


def speed(a: Side, b: Side, texts: Sequence[str], plan: Plan) -> list[dict[str, Any]]:
    """Time both in turns; a row a batch size: texts/s of both, and their ratio within a round."""
    chosen = list(texts[: plan.texts])
    ids = {"a": a.ids(chosen), "b": b.ids(chosen)}
    rows: list[dict[str, Any]] = []
    for size in plan.sizes:
        turns = {name: _turn(side.graph, ids[name], size) for name, side in (("a", a), ("b", b))}
        totals = {
            name: [sum(seconds) for seconds in rounds]
            for name, rounds in interleave(turns, plan.rounds).items()
        }
        rates = {name: asdict(spread([len(chosen) / s for s in rounds])) for name, rounds in totals.items()}
        rows.append({"batch": size, **rates, "b_times_as_fast_as_a": asdict(ratio(totals["a"], totals["b"]))})
    return rows
