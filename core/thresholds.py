"""Choose the thresholds of labels, by one of three methods.

``plain`` takes the candidate with the best F-beta on the texts as they are.

A label with six positives has a best threshold, but it is the luck of six texts. Two methods do not chase it:

- ``bagged``: the median of the best thresholds of many bootstrap resamples of the texts.
- ``shrunk``: the best threshold of a smoothed F-beta. To what a label's candidate decides, a fixed number
  of positives is added that behave like those of all other labels together. A label with hundreds of
  positives hardly moves, one with six is mostly told by the others.

``shrunk`` is the default: with either kind of candidates, the best of its kind held out on dev.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.decisions import Counts, Floats, decide
from core.errors import ThresholdError

Kind = Literal["precision", "recall"]

# The published card's candidates: 0.05, 0.10 … 0.95.
GRID = np.array([round(0.05 * number, 2) for number in range(1, 20)])
# Of 0, 5, 10, 20, 40, 80 and 320 the best held out on dev (macro-F1 of the default's fp32, six foldings);
# from 10 to 40 it is all but flat.
PSEUDO_POSITIVES = 20.0
RESAMPLES = 100
FOLDS = 5
_SEED = 0


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

    def rows(self, chosen: NDArray[np.bool_]) -> Scored:
        """Return the texts that are chosen."""
        return Scored(self.labels, self.truth[chosen], self.probabilities[chosen])

    def decide(self, thresholds: Floats) -> NDArray[np.bool_]:
        """Return the decisions at one threshold a label, bool `[n, labels]`."""
        return decide(self.probabilities, thresholds)


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


def resamples(texts: int, repeats: int, seed: int) -> Floats:
    """Return how often a bootstrap draws each text, float64 `[repeats, texts]`; a row's sum is `texts`."""
    random = np.random.default_rng(seed)
    drawn = [np.bincount(random.integers(0, texts, texts), minlength=texts) for _ in range(repeats)]
    return np.array(drawn, np.float64)


def count(
    truth: NDArray[np.bool_],
    probability: NDArray[np.float32],
    candidates: Floats,
    weights: Floats | None = None,
) -> Counts:
    """Count what k candidates decide on n texts.

    Args:
        truth: bool `[n]`.
        probability: float32 `[n]`.
        candidates: `[k]`, compared as float32.
        weights: `[r, n]`, how often each text counts; left out, once (r is 1).

    Returns:
        Counts `[r, k]`, with support `[r, 1]`.
    """
    order = np.argsort(probability, kind="stable")
    first = np.searchsorted(probability[order], candidates.astype(np.float32), side="left")
    ordered = np.ones((1, len(order))) if weights is None else weights[:, order]

    def at_least(values: Floats) -> Floats:
        """Sum the weights of the texts from each candidate's first on, `[r, k]`."""
        tail = np.zeros((len(values), values.shape[1] + 1))
        tail[:, :-1] = np.cumsum(values[:, ::-1], axis=1)[:, ::-1]
        sums: Floats = tail[:, first]
        return sums

    true = ordered * truth[order]
    return Counts(at_least(true), at_least(ordered), true.sum(axis=1, keepdims=True))


def best(candidates: Floats, counts: Counts, beta: float = 1.0) -> Floats:
    """Return for each weighting the candidate with the best F-beta, the lowest of equals, `[r]`."""
    chosen: Floats = candidates[counts.f_beta(beta).argmax(axis=1)]
    return chosen


def best_above(candidates: Floats, counts: Counts, floor: Floor) -> float:
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


def _column(scored: Scored, label: int, candidates: Floats, weights: Floats | None = None) -> Counts:
    return count(scored.truth[:, label], scored.probabilities[:, label], candidates, weights)


def plain(scored: Scored, label: int, candidates: Floats, beta: float) -> float:
    """Return the candidate with the best F-beta on the texts as they are."""
    return float(best(candidates, _column(scored, label, candidates), beta)[0])


def bagged(scored: Scored, label: int, candidates: Floats, beta: float) -> float:
    """Return the median of the best candidates of `RESAMPLES` bootstrap resamples of the texts."""
    counts = _column(scored, label, candidates, resamples(len(scored.truth), RESAMPLES, _SEED))
    # A resample without a positive says nothing.
    drawn = counts.support[:, 0] > 0
    return float(np.median(best(candidates, counts, beta)[drawn]))


def shrunk(scored: Scored, label: int, candidates: Floats, beta: float) -> float:
    """Return the candidate with the best F-beta after `PSEUDO_POSITIVES` of the other labels are added."""
    own = _column(scored, label, candidates)
    pooled = count(scored.truth.ravel(), scored.probabilities.ravel(), candidates)
    others = Counts(*(total - of_label for total, of_label in zip(pooled, own, strict=True)))
    share = PSEUDO_POSITIVES / max(float(others.support[0, 0]), 1.0)
    smoothed = Counts(*(of_label + share * other for of_label, other in zip(own, others, strict=True)))
    return float(best(candidates, smoothed, beta)[0])


METHODS: dict[str, Callable[[Scored, int, Floats, float], float]] = {
    "plain": plain,
    "bagged": bagged,
    "shrunk": shrunk,
}


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


def held_out(scored: Scored, choice: Choice, seed: int) -> NDArray[np.bool_]:
    """Return decisions on each fifth of the texts at thresholds chosen on the others, `[n, labels]`.

    `seed` says which texts are together in a fifth.
    """
    fold = np.random.default_rng(seed).permutation(len(scored.truth)) % FOLDS
    decided = np.zeros(scored.truth.shape, bool)
    for index in range(FOLDS):
        decided[fold == index] = scored.rows(fold == index).decide(choose(scored.rows(fold != index), choice))
    return decided
