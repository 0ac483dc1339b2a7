"""Choosing a threshold for a label: candidates, what each of them decides, and the best.

A decision is `probability >= threshold`, both float32, as in an artifact's graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import ThresholdError

Kind = Literal["precision", "recall"]
Candidates = Callable[[NDArray[np.float32]], NDArray[np.float64]]

_GRID = np.array([round(0.05 * step, 2) for step in range(1, 20)])


class Counts(NamedTuple):
    """What k candidates decide in r weightings of the texts: float64 `[r, k]`, `support` `[r, 1]`."""

    true_positives: NDArray[np.float64]
    predicted: NDArray[np.float64]
    support: NDArray[np.float64]

    def precision(self) -> NDArray[np.float64]:
        """Return precision `[r, k]`; 0 where nothing is predicted."""
        return _ratio(self.true_positives, self.predicted)

    def recall(self) -> NDArray[np.float64]:
        """Return recall `[r, k]`; 0 where nothing is true."""
        return _ratio(self.true_positives, self.support)

    def f_beta(self, beta: float) -> NDArray[np.float64]:
        """Return F-beta `[r, k]`; 0 where nothing is true and nothing predicted."""
        square = beta * beta
        return _ratio((1 + square) * self.true_positives, self.predicted + square * self.support)


class Floor(NamedTuple):
    """A least precision or recall that a user wants for a label."""

    kind: Kind
    least: float


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(part.shape), where=np.broadcast_to(whole > 0, part.shape))


def grid(probability: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the published card's candidates: 0.05, 0.10 … 0.95, whatever the probabilities are."""
    return _GRID


def exact(probability: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return every probability between 0 and 1 once, ascending: all decisions a threshold can make.

    Raises:
        ThresholdError: there is none.
    """
    found = np.unique(probability)
    found = found[(found > 0) & (found < 1)]
    if not found.size:
        raise ThresholdError(f"found no probability between 0 and 1 among {probability.size}")
    return found.astype(np.float64)


CANDIDATES: dict[str, Candidates] = {"grid": grid, "exact": exact}


def count(
    truth: NDArray[np.bool_],
    probability: NDArray[np.float32],
    candidates: NDArray[np.float64],
    weights: NDArray[np.float64] | None = None,
) -> Counts:
    """Count what candidates decide on n texts.

    Args:
        truth: bool `[n]`.
        probability: float32 `[n]`.
        candidates: `[k]`, compared as float32.
        weights: `[r, n]`, how often each text counts; left out, once (r is 1).
    """
    order = np.argsort(probability, kind="stable")
    first = np.searchsorted(probability[order], candidates.astype(np.float32), side="left")
    ordered = np.ones((1, len(order))) if weights is None else weights[:, order]

    def at_least(values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum the weights of the texts from each candidate's first on, `[r, k]`."""
        tail = np.zeros((len(values), values.shape[1] + 1))
        tail[:, :-1] = np.cumsum(values[:, ::-1], axis=1)[:, ::-1]
        found: NDArray[np.float64] = tail[:, first]
        return found

    true = ordered * truth[order]
    return Counts(at_least(true), at_least(ordered), true.sum(axis=1, keepdims=True))


def best(candidates: NDArray[np.float64], counts: Counts, beta: float) -> NDArray[np.float64]:
    """Return for each weighting the candidate with the best F-beta, the lowest of equals, `[r]`."""
    found: NDArray[np.float64] = candidates[counts.f_beta(beta).argmax(axis=1)]
    return found


def best_above(candidates: NDArray[np.float64], counts: Counts, floor: Floor) -> float:
    """Return the candidate that keeps a least precision (or recall) and has the best of the other.

    Of equals, the one with more of the kept one, then the lowest.

    Raises:
        ThresholdError: no candidate keeps it; the message has the best there is.
    """
    rates = {"precision": counts.precision()[0], "recall": counts.recall()[0]}
    kept = rates.pop(floor.kind)
    (other,) = rates.values()
    (allowed,) = np.nonzero(kept >= floor.least)
    if not allowed.size:
        raise ThresholdError(f"{floor.kind}: found at most {kept.max():.4f}, expected {floor.least:g}")
    order = np.lexsort((candidates[allowed], -kept[allowed], -other[allowed]))
    return float(candidates[allowed[order[0]]])


def shortest(threshold: float) -> float:
    """Return the shortest decimal that is the same float32, for `thresholds.json`."""
    return float(str(np.float32(threshold)))
