"""Parity: one finished graph against the reference, and the recipe's tolerances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from export.contract import GateError
from verify.reference import Reference
from verify.session import Graph

_BATCH_SIZE = 32


@dataclass(frozen=True)
class Tolerance:
    """What a recipe allows one variant; None is no limit."""

    max_probability_error: float | None
    max_flip_rate: float | None


@dataclass(frozen=True)
class Parity:
    """Errors of one variant, each text alone; `batch_error` is alone against in a batch of 32.

    `flips` counts the texts whose decision differs, per label; `flip_rate` is the share of texts
    with at least one. The original gives probabilities, float32: where one is near 0 or 1, most of
    the logit error is that rounding. `worst` names the text and label of the largest probability error.
    """

    texts: int
    max_logit_error: float
    mean_logit_error: float
    max_probability_error: float
    mean_probability_error: float
    batch_error: float
    flips: dict[str, int]
    flip_rate: float
    worst: dict[str, Any]


def _check_same_original(graph: Graph, reference: Reference) -> None:
    for name, found, expected in (
        ("labels", graph.labels, reference.labels),
        ("thresholds", graph.thresholds, reference.thresholds),
        ("encoder_sha256", graph.metadata["encoder_sha256"], reference.encoder_sha256),
        ("head_sha256", graph.metadata["head_sha256"], reference.head_sha256),
    ):
        if found != expected:
            raise GateError(f"{graph.path}: {name}: found {found}, expected the reference's, {expected}")


def measure(graph: Graph, reference: Reference) -> Parity:
    """Run a graph on the reference's texts and compare.

    Raises:
        GateError: the reference is of another encoder, head, label list or thresholds.
    """
    _check_same_original(graph, reference)
    alone = graph.run_batches(reference.ids, 1)
    together = graph.run_batches(reference.ids, _BATCH_SIZE)
    logit_error = abs(alone.logits.astype(np.float64) - reference.logits)
    error = abs(alone.probabilities.astype(np.float64) - reference.probabilities)
    flipped = alone.predictions != reference.decisions
    row, column = np.unravel_index(int(error.argmax()), error.shape)
    label = reference.labels[column]
    return Parity(
        texts=len(reference.texts),
        max_logit_error=float(logit_error.max()),
        mean_logit_error=float(logit_error.mean()),
        max_probability_error=float(error.max()),
        mean_probability_error=float(error.mean()),
        batch_error=float(abs(alone.probabilities - together.probabilities).max()),
        flips={name: int(count) for name, count in zip(reference.labels, flipped.sum(axis=0), strict=True)},
        flip_rate=float(flipped.any(axis=1).mean()),
        worst={
            "text": reference.texts[row],
            "label": label,
            "probability": float(alone.probabilities[row, column]),
            "reference": float(reference.probabilities[row, column]),
            "threshold": reference.thresholds[label],
        },
    )


def violations(variant: str, parity: Parity, tolerance: Tolerance) -> list[str]:
    """Return a sentence for each tolerance that is exceeded; a figure that is not a number is one."""
    found = []
    for name, value, limit in (
        ("max_probability_error", parity.max_probability_error, tolerance.max_probability_error),
        ("flip_rate", parity.flip_rate, tolerance.max_flip_rate),
    ):
        if limit is not None and not value <= limit:
            worst = parity.worst
            found.append(
                f"{variant}: {name}: found {value:.3g}, expected at most {limit:g}; the largest error "
                f"is on {worst['label']} of {worst['text'][:60]!r}: {worst['probability']:.6f}, the "
                f"reference has {worst['reference']:.6f}"
            )
    return found


def table(rows: Sequence[tuple[str, Parity, Tolerance, bool]]) -> str:
    """Return parity as a Markdown table; each row is a variant, its figures, tolerance and verdict."""
    lines = [
        "| variant | max Δp | mean Δp | max Δlogit | mean Δlogit | alone/batch Δp | flip rate | verdict |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for variant, parity, tolerance, passed in rows:
        limits = [
            f"{sign} {limit:g}"
            for sign, limit in (
                ("Δp ≤", tolerance.max_probability_error),
                ("flips ≤", tolerance.max_flip_rate),
            )
            if limit is not None
        ]
        lines.append(
            f"| {variant} | {parity.max_probability_error:.1e} | {parity.mean_probability_error:.1e} "
            f"| {parity.max_logit_error:.1e} | {parity.mean_logit_error:.1e} "
            f"| {parity.batch_error:.1e} | {parity.flip_rate:.4f} "
            f"| {'ok' if passed else 'FAILED'} ({', '.join(limits)}) |"
        )
    return "\n".join(lines)
