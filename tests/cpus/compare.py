"""What two processors say of the same texts, and how far apart they may be."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

import numpy as np

from core import decisions
from core.contract import ProblemType
from core.errors import GateError, ToolchainError


class Allowed(NamedTuple):
    """The largest share of texts decided otherwise (rounded up), and mean change of a probability."""

    otherwise: float
    mean: float


# With fused multiplications and additions: a softmax of more than 16 values is summed in another order.
FUSED = Allowed(1 / 200, 1e-5)
# Without them, attention's float products, its softmax and GELU are rounded otherwise, and a few values in a
# million then go to the other integer. Kernels that saturate would change a probability by 1.5e-3.
UNFUSED = Allowed(1 / 200, 5e-4)
# ARM adds a product's bias without rounding between, and other sums in another order as well.
ARM = Allowed(1 / 100, 5e-4)


def allowed_of(variant: str, allowed: Allowed) -> Allowed:
    """Return what a variant is allowed where a processor is allowed this: `guarded` decides alike."""
    return allowed._replace(otherwise=0) if variant == "guarded" else allowed


class Difference(NamedTuple):
    """Texts decided otherwise, the largest and the mean change of a probability, and what is allowed."""

    texts: int
    otherwise: int
    largest: float
    mean: float
    allowed: Allowed


def difference(
    found: np.ndarray,
    expected: np.ndarray,
    thresholds: np.ndarray,
    problem_type: ProblemType,
    allowed: Allowed = FUSED,
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
    return Difference(len(found), otherwise, float(change.max()), float(change.mean()), allowed)


def check(differences: dict[str, Difference]) -> None:
    """Hold differences, by where they were found, to what is allowed.

    Raises:
        GateError: one is over it; the message has all that are.
    """
    over = []
    for place, found in differences.items():
        allowed, mean = ceil(found.texts * found.allowed.otherwise), found.allowed.mean
        if found.otherwise > allowed:
            decided = f"{found.otherwise} of {found.texts} texts decided otherwise"
            over.append(f"{place}: found {decided}, expected at most {allowed}")
        if found.mean > mean:
            over.append(f"{place}: found a mean change of {found.mean:.1e}, expected at most {mean:.0e}")
    if over:
        raise GateError("; ".join(over))


def as_json(found: Difference) -> dict[str, object]:
    """Return a difference, and what is allowed, by name."""
    return found._asdict() | {"allowed": found.allowed._asdict()}


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
