"""What two processors say of the same texts, and how far apart they may be."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from core import decisions
from core.contract import ProblemType
from core.errors import GateError, ToolchainError

# Of the issue: 1 text of 200, and what float sums in another order move a probability by on average.
MOST_OTHERWISE, MOST_MEAN = 1 / 200, 1e-5


class Difference(NamedTuple):
    """Texts that are decided otherwise, and the largest and the mean change of a probability."""

    texts: int
    otherwise: int
    largest: float
    mean: float


def difference(
    found: np.ndarray, expected: np.ndarray, thresholds: np.ndarray, problem_type: ProblemType
) -> Difference:
    """Compare probabilities `[n, l]` of one processor with those of another.

    Raises:
        ToolchainError: they have other shapes, or one is not a number.
    """
    if found.shape != expected.shape or not found.size:
        raise ToolchainError(
            f"probabilities: found shape {found.shape}, expected {expected.shape}, texts among them"
        )
    change = np.abs(found.astype(float) - expected)
    if not np.isfinite(change).all():
        raise ToolchainError("probabilities: found one that is not a number")
    decided = [decisions.decide(values, thresholds, problem_type) for values in (found, expected)]
    otherwise = int((decided[0] != decided[1]).any(axis=1).sum())
    return Difference(len(found), otherwise, float(change.max()), float(change.mean()))


def check(differences: dict[str, Difference]) -> None:
    """Hold differences, by where they were found, to what is allowed.

    Raises:
        GateError: one is over it; the message has all that are.
    """
    over = []
    for place, found in differences.items():
        allowed = int(found.texts * MOST_OTHERWISE)
        if found.otherwise > allowed:
            decided = f"{found.otherwise} of {found.texts} texts decided otherwise"
            over.append(f"{place}: found {decided}, expected at most {allowed}")
        if found.mean > MOST_MEAN:
            over.append(f"{place}: found a mean change of {found.mean:.1e}, expected at most {MOST_MEAN:.0e}")
    if over:
        raise GateError("; ".join(over))


def table(differences: dict[str, Difference]) -> str:
    """Return the differences as a table in Markdown."""
    lines = [
        "| processor, variant, texts | decided otherwise | largest change | mean change |",
        "| --- | --- | --- | --- |",
    ]
    for place, found in differences.items():
        share = f"{found.otherwise} of {found.texts}"
        lines.append(f"| {place} | {share} | {found.largest:.1e} | {found.mean:.1e} |")
    return "\n".join(lines)
