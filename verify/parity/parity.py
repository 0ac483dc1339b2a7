"""Measure the parity of a finished graph with the reference, and hold it to the recipe's tolerances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core import decisions
from core.artifact.graph import Answers, Graph
from core.artifact.manifest import Tolerance
from core.build.reference import Reference
from core.contract import SINGLE_LABEL
from core.decisions import log_softmax
from core.errors import GateError
from verify import escape
from verify.parity import changes

_BATCH_SIZE = 32
# A rounding of float32's epsilon moves the logit of a probability p by epsilon / (p (1 - p)): this near to
# 0 or 1, by a thousandth and more.
SATURATED = 1024 * float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Parity:
    """Errors of one variant, each text alone; `batch_error` is alone against in a batch of 32.

    The original gives float32 probabilities, and its logits are their log-odds: where a probability is
    within `SATURATED` (1024 times float32's epsilon, 1.2e-4) of 0 or 1, the logit says how it was rounded.
    The logit errors are over the others; `saturated_logits` counts those left out. The probability errors
    are over all. Of a single-label problem the logits compared are those of the softmax less the constant
    that it does not see: the logarithms of the probabilities.

    `flips` counts the texts whose decision differs, per label (of a single-label problem another label in its
    place is a flip of both); `flip_rate` is the share of texts
    with at least one; `batch_flips` counts the texts that batch mates give another decision. `worst` has
    the largest probability errors, one a text (`changes.chosen`), `worst_flips` the largest that flipped a
    decision: ``{text, place, characters, natural, label, probability, reference, threshold, flipped}``; the
    text's beginning, and its place in the reference.
    """

    texts: int
    saturated_logits: int
    max_logit_error: float
    mean_logit_error: float
    max_probability_error: float
    mean_probability_error: float
    batch_error: float
    batch_flips: int
    flips: dict[str, int]
    flip_rate: float
    worst: list[dict[str, Any]]
    worst_flips: list[dict[str, Any]]

    @property
    def flipped(self) -> int:
        """How many texts have at least one flip."""
        return round(self.flip_rate * self.texts)


# In files of figures, beside the variants: `runtime.ran_on`.
RAN_ON = "ran_on"
# A variant's name, its errors, and what the recipe tolerates.
Row = tuple[str, Parity, Tolerance]


def row_of(variant: dict[str, Any]) -> Row:
    """Return the row of a variant as a manifest describes it."""
    return variant["name"], Parity(**variant["parity"]), Tolerance(**variant["tolerance"])


def _check_same_original(graph: Graph, reference: Reference) -> None:
    for name, found, expected in (
        ("labels", graph.labels, reference.labels),
        ("thresholds", graph.thresholds, reference.thresholds),
        ("problem_type", graph.metadata.problem_type, reference.problem_type),
        ("encoder_sha256", graph.metadata.encoder_sha256, reference.encoder_sha256),
        ("head_sha256", graph.metadata.head_sha256, reference.head_sha256),
    ):
        if found != expected:
            raise GateError(f"{graph.path}: {name}: found {found}, expected the reference's, {expected}")


def _check_decisions(graph: Graph, answers: Answers) -> None:
    thresholds = decisions.threshold_vector(graph.thresholds, graph.labels)
    decided = decisions.decide(answers.probabilities, thresholds, graph.metadata.problem_type)
    wrong = int((answers.predictions != decided).sum())
    if wrong:
        raise GateError(
            f"{graph.path}: found {wrong} decisions other than its thresholds give, expected none"
        )


def worst_first(error: NDArray[np.float64]) -> list[int]:
    """Return flat indices in the order of falling errors; what is not a number is the worst of all."""
    order: list[int] = np.argsort(-np.nan_to_num(error, nan=np.inf).ravel(), kind="stable").tolist()
    return order


def _rows(
    reference: Reference, answers: Answers, flipped: NDArray[np.bool_], order: Sequence[int]
) -> list[dict[str, Any]]:
    """Return a row for each text of flat indices of text and label in `order` that a record keeps."""
    width = len(reference.labels)
    return [
        {
            **changes.stated(reference.texts, row),
            "label": reference.labels[column],
            "probability": float(answers.probabilities[row, column]),
            "reference": float(reference.probabilities[row, column]),
            "threshold": reference.thresholds[reference.labels[column]],
            "flipped": bool(flipped[row, column]),
        }
        for row, column in (divmod(index, width) for index in changes.chosen(order, width, reference.texts))
    ]


def _logit_errors(answers: Answers, reference: Reference) -> NDArray[np.float64]:
    """Return the errors of the logits that are not saturated, `[k]`."""
    distance = np.minimum(reference.probabilities, 1 - reference.probabilities)
    logits = answers.logits.astype(np.float64)
    if reference.problem_type == SINGLE_LABEL:
        logits = log_softmax(logits)
    return abs(logits - reference.logits)[distance >= SATURATED]


def measure(graph: Graph, reference: Reference) -> Parity:
    """Run a graph on the reference's texts and compare.

    Raises:
        GateError: the reference is of another encoder, head, label list or thresholds, or a decision is not
            what the graph's own thresholds make of its own probability.
    """
    _check_same_original(graph, reference)
    alone = graph.run_batches(reference.ids, 1)
    together = graph.run_batches(reference.ids, _BATCH_SIZE)
    _check_decisions(graph, Answers.join([alone, together]))
    logit_errors = _logit_errors(alone, reference)
    error = abs(alone.probabilities.astype(np.float64) - reference.probabilities)
    flipped = alone.predictions != reference.decisions
    order = worst_first(error)
    flips = [index for index in order if flipped.flat[index]]
    return Parity(
        texts=len(reference.texts),
        saturated_logits=error.size - logit_errors.size,
        max_logit_error=float(logit_errors.max(initial=0.0)),
        mean_logit_error=float(logit_errors.sum() / max(logit_errors.size, 1)),
        max_probability_error=float(error.max()),
        mean_probability_error=float(error.mean()),
        batch_error=float(abs(alone.probabilities - together.probabilities).max()),
        batch_flips=int((alone.predictions != together.predictions).any(axis=1).sum()),
        flips={name: int(count) for name, count in zip(reference.labels, flipped.sum(axis=0), strict=True)},
        flip_rate=float(flipped.any(axis=1).mean()),
        worst=_rows(reference, alone, flipped, order),
        worst_flips=_rows(reference, alone, flipped, flips),
    )


def exceeded(variant: str, parity: Parity, tolerance: Tolerance) -> dict[str, str | None]:
    """Return stated tolerance → a sentence where it is exceeded; a figure that is not a number does."""
    error = "error", parity.worst[0]
    flip = ("flip", parity.worst_flips[0]) if parity.worst_flips else error
    sentences: dict[str, str | None] = {}
    for name, value, limit, (kind, row) in (
        ("max_probability_error", parity.max_probability_error, tolerance.max_probability_error, error),
        ("flip_rate", parity.flip_rate, tolerance.max_flip_rate, flip),
    ):
        if limit is not None:
            sentences[name] = (
                None
                if value <= limit
                else (
                    f"{variant}: {name}: found {value:.3g}, expected at most {limit:g}; the largest {kind} "
                    f"is on {row['label']} of {row['text'][:60]!r}: {row['probability']:.6f}, the "
                    f"reference has {row['reference']:.6f}"
                )
            )
    return sentences


def violations(variant: str, parity: Parity, tolerance: Tolerance) -> list[str]:
    """Return the sentences of `exceeded`."""
    return [sentence for sentence in exceeded(variant, parity, tolerance).values() if sentence]


def table(rows: Sequence[Row]) -> str:
    """Return parity as a Markdown table, with a verdict a variant."""
    header = "variant|max Δp|mean Δp|max Δlogit|mean Δlogit|alone/batch Δp|flip rate|verdict".split("|")
    lines = []
    for variant, parity, tolerance in rows:
        named = {"Δp ≤": tolerance.max_probability_error, "flips ≤": tolerance.max_flip_rate}
        limits = ", ".join(f"{sign} {limit:g}" for sign, limit in named.items() if limit is not None)
        errors = (
            parity.max_probability_error,
            parity.mean_probability_error,
            parity.max_logit_error,
            parity.mean_logit_error,
            parity.batch_error,
        )
        verdict = "FAILED" if violations(variant, parity, tolerance) else "ok"
        cells = [*(f"{error:.1e}" for error in errors), f"{parity.flip_rate:.4f}", f"{verdict} ({limits})"]
        lines.append([variant, *cells])
    return "\n".join(escape.table(header, lines, words=len(header)))
