"""Two artifacts side by side, one variant of each: their decisions, and the F1 where the truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.artifact import manifest, tokens
from core.artifact.graph import Answers, Graph, try_out
from core.dataset import GO_EMOTIONS_LABELS
from core.errors import ArtifactError
from verify.quality import metrics

_WORST = 5


@dataclass(frozen=True)
class Texts:
    """Some texts, run in batches of `batch_size`; `truth` has their labels where they are known."""

    name: str
    texts: Sequence[str]
    batch_size: int
    truth: Sequence[frozenset[str]] | None = None


class Side:
    """One variant of an artifact, opened."""

    def __init__(self, folder: Path, variant: manifest.Variant, threads: int) -> None:
        """Open it.

        Raises:
            ArtifactError: the graph cannot be read.
        """
        self.variant = variant
        try_out(variant.file)
        self.graph = Graph(variant.file, threads)
        self.size_bytes = variant.file.stat().st_size
        self._tokenizer = folder / manifest.TOKENIZER_FILE

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return each text's token ids, by this artifact's own tokenizer."""
        return tokens.encode(self._tokenizer, texts)

    def answers(self, given: Texts, labels: Sequence[str]) -> Answers:
        """Return its answers, columns in the order of `labels`."""
        found = self.graph.run_sorted(self.ids(given.texts), given.batch_size)
        columns = [self.graph.labels.index(label) for label in labels]
        return Answers(
            found.logits[:, columns], found.probabilities[:, columns], found.predictions[:, columns]
        )


def _worst(
    given: Texts, labels: Sequence[str], a: Answers, b: Answers, change: NDArray[np.float64]
) -> list[dict[str, Any]]:
    order = np.argsort(-np.nan_to_num(change, nan=np.inf).ravel(), kind="stable")[:_WORST].tolist()
    return [
        {
            "text": given.texts[row],
            "label": labels[column],
            "a": float(a.probabilities[row, column]),
            "b": float(b.probabilities[row, column]),
            "flipped": bool(a.predictions[row, column] != b.predictions[row, column]),
        }
        for row, column in (divmod(index, len(labels)) for index in order)
    ]


def _scores(given: Texts, labels: Sequence[str], answers: Answers) -> dict[str, Any]:
    """Return F1 per label and their mean, over the labels that the truth knows."""
    known = [label for label in labels if label in GO_EMOTIONS_LABELS]
    columns = [labels.index(label) for label in known]
    truth = metrics.truth_of(known, given.truth or [])
    found = metrics.metrics(truth, answers.predictions[:, columns])
    return {
        "macro_f1": found.average(weighted=False)[2],
        "f1": dict(zip(known, found.f1.tolist(), strict=True)),
    }


def on_texts(a: Side, b: Side, given: Texts) -> dict[str, Any]:
    """Return how often and how far A's and B's answers differ; F1 of both where the truth is known."""
    labels = a.graph.labels
    ours, theirs = a.answers(given, labels), b.answers(given, labels)
    change = abs(ours.probabilities.astype(np.float64) - theirs.probabilities)
    flipped = ours.predictions != theirs.predictions
    found: dict[str, Any] = {
        "name": given.name,
        "texts": len(given.texts),
        "flip_rate": float(flipped.any(axis=1).mean()),
        "flips": dict(zip(labels, flipped.sum(axis=0).tolist(), strict=True)),
        "max_probability_change": float(change.max()),
        "worst": _worst(given, labels, ours, theirs, change),
    }
    if given.truth is not None and set(labels) & set(GO_EMOTIONS_LABELS):
        found |= {"a": _scores(given, labels, ours), "b": _scores(given, labels, theirs)}
    return found


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
