"""Choose the thresholds of labels, by one of two methods.

``plain`` takes the candidate with the best F-beta on the texts as they are.

A label with six positives has a best threshold, but it is the luck of six texts. ``shrunk``, the default,
does not chase it: it takes the best threshold of a smoothed F-beta. To what a label's candidate decides, a
fixed number of positives is added that behave like those of all other labels together. A label with hundreds
of positives hardly moves, one with six is mostly told by the others. With either kind of candidates it was
the best held out on dev, also before the median of bootstrap resamples, which is no longer here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.contract import MULTI_LABEL, ProblemType
from core.decisions import Counts, Floats, chosen, decide
from core.errors import ThresholdError

Kind = Literal["precision", "recall"]

# The published card's candidates: 0.05, 0.10 … 0.95.
GRID = np.array([round(0.05 * number, 2) for number in range(1, 20)])
# Of 0, 5, 10, 20, 40, 80 and 320 the best held out on dev (macro-F1 of the default's fp32, six foldings);
# from 10 to 40 it is all but flat.
PSEUDO_POSITIVES = 20.0
FOLDS = 5


class Floor(NamedTuple):
    """A least precision or recall that a user wants for a label."""

    kind: Kind
    least: float


@dataclass(frozen=True)
class Choice:
    """How to choose: a method of `METHODS`, candidates of `CANDIDATES`, beta, and floors by label."""

    method: str = "shrunk"
    candidates: str = "exact"
    beta: float = 1.0
    floors: Mapping[str, Floor] | None = None

    @property
    def name(self) -> str:
        """What a table calls it."""
        return f"{self.method}, {self.candidates}"


# How the published card chose.
PUBLISHED = Choice("plain", "grid")


@dataclass(frozen=True)
class Scored:
    """A split's truth, bool `[n, labels]`, and a model's probabilities, float32 `[n, labels]`."""

    labels: list[str]
    truth: NDArray[np.bool_]
    probabilities: NDArray[np.float32]
    problem_type: ProblemType = MULTI_LABEL

    def rows(self, chosen: NDArray[np.bool_]) -> Scored:
        """Return the texts that are chosen."""
        return replace(self, truth=self.truth[chosen], probabilities=self.probabilities[chosen])

    def decide(self, thresholds: Floats) -> NDArray[np.bool_]:
        """Return the decisions at one threshold a label, bool `[n, labels]`."""
        return decide(self.probabilities, thresholds, self.problem_type)


def exact(probability: NDArray[np.float32]) -> Floats:
    """Return every probability between 0 and 1 once, ascending: all decisions a threshold can make.

    Raises:
        ThresholdError: there is none.
    """
    distinct = np.unique(probability)
    distinct = distinct[(distinct > 0) & (distinct < 1)]
    if not distinct.size:
        raise ThresholdError(f"found no probability between 0 and 1 among {probability.size}")
    return distinct.astype(np.float64)


CANDIDATES: dict[str, Callable[[NDArray[np.float32]], Floats]] = {
    "grid": lambda probability: GRID,
    "exact": exact,
}


def count(truth: NDArray[np.bool_], probability: NDArray[np.float32], candidates: Floats) -> Counts:
    """Count what k candidates decide on n texts.

    Args:
        truth: bool `[n]`.
        probability: float32 `[n]`.
        candidates: `[k]`, compared as float32.

    Returns:
        Counts `[k]`, with one support.
    """
    order = np.argsort(probability, kind="stable")
    first = np.searchsorted(probability[order], candidates.astype(np.float32), side="left")
    # True texts from each place of the order on, and none after the last.
    true = np.append(np.cumsum(truth[order][::-1])[::-1], 0).astype(np.float64)
    return Counts(true[first], (len(order) - first).astype(np.float64), true[:1])


def best(candidates: Floats, counts: Counts, beta: float = 1.0) -> float:
    """Return the candidate with the best F-beta, the lowest of equals."""
    return float(candidates[counts.f_beta(beta).argmax()])


def best_above(candidates: Floats, counts: Counts, floor: Floor) -> float:
    """Return the candidate that keeps a least precision (or recall) and has the best of the other.

    Of equals, the one with more of the kept one, then the lowest.

    Raises:
        ThresholdError: no candidate keeps it; the message has the best there is.
    """
    rates = {"precision": counts.precision(), "recall": counts.recall()}
    kept = rates.pop(floor.kind)
    (other,) = rates.values()
    (allowed,) = np.nonzero(kept >= floor.least)
    if not allowed.size:
        raise ThresholdError(f"{floor.kind}: found at most {kept.max():.4f}, expected {floor.least:g}")
    order = np.lexsort((candidates[allowed], -kept[allowed], -other[allowed]))
    return float(candidates[allowed[order[0]]])


def _column(scored: Scored, label: int, candidates: Floats) -> Counts:
    return count(scored.truth[:, label], scored.probabilities[:, label], candidates)


def plain(scored: Scored, label: int, candidates: Floats, beta: float) -> float:
    """Return the candidate with the best F-beta on the texts as they are."""
    return best(candidates, _column(scored, label, candidates), beta)


def shrunk(scored: Scored, label: int, candidates: Floats, beta: float) -> float:
    """Return the candidate with the best F-beta after `PSEUDO_POSITIVES` of the other labels are added."""
    own = _column(scored, label, candidates)
    pooled = count(scored.truth.ravel(), scored.probabilities.ravel(), candidates)
    others = Counts(*(total - of_label for total, of_label in zip(pooled, own, strict=True)))
    share = PSEUDO_POSITIVES / max(float(others.support[0]), 1.0)
    smoothed = Counts(*(of_label + share * other for of_label, other in zip(own, others, strict=True)))
    return best(candidates, smoothed, beta)


METHODS: dict[str, Callable[[Scored, int, Floats, float], float]] = {"plain": plain, "shrunk": shrunk}


def shortest(threshold: float) -> float:
    """Return the shortest decimal that is the same float32, for `thresholds.json`."""
    return float(str(np.float32(threshold)))


def choose(scored: Scored, choice: Choice) -> Floats:
    """Return one threshold a label, in label order, `[labels]`.

    A label with a floor is chosen by the texts as they are, whatever the method: a floor is a promise
    about counts, and holds on this split.

    Raises:
        ThresholdError: a label without positives, or a floor that no candidate keeps.
    """
    chosen = []
    for index, label in enumerate(scored.labels):
        if not scored.truth[:, index].any():
            raise ThresholdError(f"label {label!r}: found no positive text, expected at least one")
        candidates = CANDIDATES[choice.candidates](scored.probabilities[:, index])
        floor = (choice.floors or {}).get(label)
        if floor is None:
            chosen.append(METHODS[choice.method](scored, index, candidates, choice.beta))
            continue
        try:
            chosen.append(best_above(candidates, _column(scored, index, candidates), floor))
        except ThresholdError as error:
            raise ThresholdError(f"label {label!r}: {error}") from error
    return np.array([shortest(value) for value in chosen])


def silences(scored: Scored, floors: Mapping[str, Floor]) -> Floats:
    """Return the probabilities below which a single-label graph says nothing, `[labels]`; 0 without a floor.

    Of a label with a floor, only the texts count that it wins: the threshold keeps the least precision (or
    recall) of its answers on this split, with the best of the other.

    Raises:
        ThresholdError: a floor that no candidate keeps.
    """
    won = chosen(scored.probabilities)
    found = np.zeros(len(scored.labels))
    for label, floor in floors.items():
        index = scored.labels.index(label)
        # Below every candidate where another label wins.
        probability = np.where(won[:, index], scored.probabilities[:, index], np.float32(-1))
        distinct = np.unique(probability)
        candidates = np.append(0.0, distinct[(distinct > 0) & (distinct < 1)].astype(np.float64))
        try:
            counts = count(scored.truth[:, index], probability, candidates)
            found[index] = shortest(best_above(candidates, counts, floor))
        except ThresholdError as error:
            raise ThresholdError(f"label {label!r}: {error}") from error
    return found


def held_out(scored: Scored, choice: Choice, seed: int) -> NDArray[np.bool_]:
    """Return decisions on each fifth of the texts at thresholds chosen on the others, `[n, labels]`.

    `seed` says which texts are together in a fifth.
    """
    fold = np.random.default_rng(seed).permutation(len(scored.truth)) % FOLDS
    decided = np.zeros(scored.truth.shape, bool)
    for index in range(FOLDS):
        decided[fold == index] = scored.rows(fold == index).decide(choose(scored.rows(fold != index), choice))
    return decided
