"""Choose the margins of the variant `guarded`: how near to a decision its int8 half is not to be trusted.

A decision flips only where the half errs towards it by more than its distance from it. So the risk of a text
is at most the sum, over its decisions, of the probability of such an error, and texts of which no decision
is within its margin flip at most as often as their mean risk. Distances and errors are of log-odds, in units
of each label's own error: with one number for all labels the risk at the margin is the same for each, which
asks the fewest texts.

The distribution of the errors is counted on the decisions that are nearest to a flip; its tail is a
generalized Pareto distribution (peaks over threshold: Pickands, Annals of Statistics 3:119, 1975), fitted by
probability-weighted moments (Hosking and Wallis, Technometrics 29:339, 1987). A shape below 0 would promise
that no error exceeds some number: here it is 0 at least, an exponential tail.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core import decisions
from core.contract import SINGLE_LABEL, ProblemType
from core.decisions import Floats
from core.errors import GraphError

# The distribution is of that share of all decisions, the nearest ones, and of so many at least.
_NEAREST, _LEAST_NEAREST = 0.1, 2000
# Its tail begins at that share of them, and has so many at least.
_TAIL, _LEAST_TAIL = 0.025, 60
_LARGEST_SHAPE = 0.9
# In that share of cases: draws of the texts with replacement, and counts of flips.
CONFIDENCE = 0.95
_DRAWS = 200
# A count on so many texts is to stay within the budget.
COUNTED_TEXTS = 5000
_FEWEST_TEXTS = 50
METHOD = "generalized Pareto tail of the log-odds' errors, summed over labels; texts drawn with replacement"


class Distances(NamedTuple):
    """How far a text's decisions are from a flip, and how far the half errs towards it.

    Of log-odds, float64 `[n, decisions]`; an infinite distance never flips. `scale_l` is each label's error.
    """

    distance: Floats
    error: Floats
    scale_l: Floats

    def of_decisions(self, of_labels: Floats) -> Floats:
        """Return for each decision what is the same number for all labels, or that of its own."""
        count = self.distance.shape[1]
        return of_labels if len(of_labels) == count else np.full(count, of_labels[0])

    def flip_rate(self, margins: Sequence[float]) -> float:
        """Return the flip rate where the texts with a decision within its margin do not flip."""
        asked = (self.distance < self.of_decisions(np.array(margins))).any(axis=1)
        return float(((self.error > self.distance).any(axis=1) & ~asked).mean())


@dataclass(frozen=True)
class Margins:
    """Margins of log-odds, a number a label, and what they come to on `texts` texts.

    They are `scale` times each label's error (root mean square). `asked` is the share of texts of which some
    decision is nearer, `expected` the flip rate that is expected of the others, of all texts, and `bound`
    what that is at most, at `CONFIDENCE`.
    """

    margins: tuple[float, ...]
    scale: float
    asked: float
    expected: float
    bound: float
    texts: int

    def statement(self, budget: float, source: str) -> str:
        """Say what is known of them, as the metadata do."""
        allowed = int(budget * COUNTED_TEXTS + 1e-9)
        return (
            f"of {COUNTED_TEXTS} texts at most {allowed} decided otherwise than in float32, at "
            f"{CONFIDENCE:.0%} confidence; flip rate {self.expected:.2g} expected, {self.bound:.2g} at most; "
            f"on {source}"
        )

    @property
    def record(self) -> dict[str, Any]:
        """What the plan's record says of them in numbers."""
        return {
            "margin_scale": self.scale,
            "asked_share": self.asked,
            "expected_flip_rate": self.expected,
            "bound": self.bound,
            "confidence": CONFIDENCE,
            "texts": self.texts,
            "method": METHOD,
        }


def _root_mean_square(errors: Floats, near: NDArray[np.bool_] | bool = True) -> Floats:
    square: Floats = np.mean(errors**2, axis=0, where=near)
    # A label that the half answers exactly has a scale as well.
    return np.maximum(np.sqrt(square), 1e-9)


def _of_labels(half: Floats, exact: Floats, thresholds: Floats) -> Distances:
    """Each label against its threshold; its scale is of the half of the texts that are nearer to that."""
    odds, expected, decided = (decisions.log_odds(1 - p, p) for p in (half, exact, thresholds))
    away, error = odds - decided, odds - expected
    distance = abs(away)
    scale_l = _root_mean_square(error, distance <= np.median(distance, axis=0))
    # Every text reaches a threshold of 0.
    distance[:, thresholds <= 0] = np.inf
    return Distances(distance, error * np.where(away >= 0, 1, -1), scale_l)


def _of_highest(half: Floats, exact: Floats, thresholds: Floats) -> Distances:
    """The highest label against each other, and against its threshold; one scale for all."""
    rows, labels = np.arange(len(half)), half.shape[1]
    top = half.argmax(axis=1)
    ours, theirs = (decisions.log_probabilities(p) for p in (half, exact))
    gap, expected = (logits[rows, top][:, None] - logits for logits in (ours, theirs))
    odds, expected_odds, decided = (
        decisions.log_odds(1 - p, p) for p in (half[rows, top], exact[rows, top], thresholds[top])
    )
    away = odds - decided
    # No label competes with itself, and every text reaches a threshold of 0.
    distance = np.column_stack([gap, np.where(thresholds[top] > 0, abs(away), np.inf)])
    distance[rows, top] = np.inf
    error = np.column_stack([gap - expected, (odds - expected_odds) * np.where(away >= 0, 1, -1)])
    others = np.arange(labels) != top[:, None]
    return Distances(distance, error, np.full(labels, _root_mean_square((gap - expected)[others])))


def distances(
    half: NDArray[np.floating],
    exact: NDArray[np.floating],
    thresholds: NDArray[np.floating],
    problem_type: ProblemType,
) -> Distances:
    """Compare the half's probabilities `[n, labels]` with the float graph's.

    Raises:
        GraphError: an answer is not a number.
    """
    if not (np.isfinite(half).all() and np.isfinite(exact).all()):
        raise GraphError("variants.guarded: found an answer that is not a number, expected probabilities")
    of = _of_highest if problem_type == SINGLE_LABEL else _of_labels
    return of(*(array.astype(np.float64) for array in (half, exact, thresholds)))


def expected_rate(budget: float) -> float:
    """Return the flip rate of which a count on `COUNTED_TEXTS` texts stays within a budget: Poisson's."""
    allowed, low, high = int(budget * COUNTED_TEXTS + 1e-9), 0.0, budget * COUNTED_TEXTS + 1
    for _ in range(60):
        mean = (low + high) / 2
        terms = [count * math.log(mean) - mean - math.lgamma(count + 1) for count in range(allowed + 1)]
        low, high = (mean, high) if sum(map(math.exp, terms)) >= CONFIDENCE else (low, mean)
    return min(budget, low / COUNTED_TEXTS)


class _Risks:
    """The risks of some texts, in the order of their nearest decisions, for any weights of the texts."""

    def __init__(self, given: Distances) -> None:
        scale, count = given.of_decisions(given.scale_l), given.distance.shape[1]
        self._distance, error = given.distance / scale, (given.error / scale).ravel()
        flat = self._distance.ravel()
        size = max(_LEAST_NEAREST, int(_NEAREST * flat.size))
        nearest = np.argsort(flat, kind="stable")[:size]
        nearest = nearest[np.isfinite(flat[nearest])]
        ascending = nearest[np.argsort(error[nearest], kind="stable")]
        self._errors, self._texts = error[ascending], ascending // count
        self._above = np.searchsorted(self._errors, self._distance)
        self._order = np.argsort(self._distance.min(axis=1), kind="stable")
        self.nearest = self._distance.min(axis=1)[self._order]

    def _of_texts(self, weights: Floats) -> Floats:
        """Return each text's risk; `weights` say how often each counts in the distribution."""
        own = weights[self._texts]
        reached = np.append(np.cumsum(own[::-1])[::-1], 0.0)
        total, share = reached[0], max(_TAIL, _LEAST_TAIL / len(own))
        first = int(np.searchsorted(-reached, -share * total))
        first = min(max(first, 1), len(own) - 2)
        threshold, weight = self._errors[first - 1], own[first:]
        excess, tail = self._errors[first:] - threshold, weight.sum()
        mean = weight @ excess / tail
        second = weight * (reached[first:-1] - weight / 2) @ excess / tail**2
        shape = min(max(2 - mean / max(mean - 2 * second, 1e-12), 0.0), _LARGEST_SHAPE)
        risk: Floats = reached[self._above] / total
        far = self._distance > threshold
        over = (self._distance[far] - threshold) / max(mean * (1 - shape), 1e-12)
        survival = np.exp(-over) if shape < 1e-6 else (1 + shape * over) ** (-1 / shape)
        risk[far] = tail / total * survival
        summed: Floats = risk.sum(axis=1)
        return summed

    def rates(self, weights: Floats) -> Floats:
        """Return the flip rate where the nearest 0, 1, … n texts are asked."""
        risk = (self._of_texts(weights) * weights)[self._order]
        summed: Floats = np.append(np.cumsum(risk[::-1])[::-1], 0.0) / weights.sum()
        return summed


def choose(given: Distances, budget: float, seed: int = 0) -> Margins:
    """Choose the least margins of which a count of flips stays within a budget.

    On `COUNTED_TEXTS` texts like the given ones, in `CONFIDENCE` of the cases; the distribution of the errors
    and the texts' distances are known as well as draws of the given texts with replacement say.

    Raises:
        GraphError: there are too few texts to choose on.
    """
    count = len(given.distance)
    if count < _FEWEST_TEXTS:
        expected = f"expected {_FEWEST_TEXTS} or more to choose margins on"
        raise GraphError(f"variants.guarded: found {count} held-out texts, {expected}")
    risks = _Risks(given)
    random, limit = np.random.default_rng(seed), expected_rate(budget)
    drawn = (random.integers(0, count, count) for _ in range(_DRAWS))
    rates = np.array([risks.rates(np.bincount(rows, minlength=count).astype(float)) for rows in drawn])
    asked = int(np.quantile((rates > limit).sum(axis=1), CONFIDENCE, method="higher"))
    # What is asked is nearer than the margin: where all must be, beyond the farthest.
    reach = 0.0 if not asked else float(np.append(risks.nearest, 2 * risks.nearest[-1])[asked])
    return Margins(
        margins=tuple((reach * given.scale_l).tolist()),
        scale=reach,
        asked=float((risks.nearest < reach).mean()),
        expected=float(risks.rates(np.ones(count))[asked]),
        bound=float(np.quantile(rates[:, asked], CONFIDENCE)),
        texts=count,
    )
