"""The ways to choose all thresholds of a variant on one split.

A label with six positives has a best point, but it is the luck of six texts. Two ways do not chase it:

- ``bagged``: the median of the best thresholds of many bootstrap resamples of the texts.
- ``shrunk``: the best threshold of a smoothed F-beta. To what a label's candidate decides, a fixed number
  of positives is added that behave like those of all other labels together. A label with hundreds of
  positives hardly moves, one with six is mostly told by the others.

``shrunk`` is the default: with either kind of candidates, the best of its kind held out on dev.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import ThresholdError
from verify.quality import bootstrap, thresholds
from verify.quality.thresholds import CANDIDATES, Counts, Floor

# Of 0, 5, 10, 20, 40, 80 and 320 the best held out on dev (macro-F1 of the default's fp32, six foldings);
# from 10 to 40 it is all but flat.
PSEUDO_POSITIVES = 20.0
RESAMPLES = 100
FOLDS = 5
_SEED = 0


@dataclass(frozen=True)
class Scored:
    """A split's truth, bool `[n, labels]`, and a variant's probabilities, float32 `[n, labels]`."""

    labels: list[str]
    truth: NDArray[np.bool_]
    probabilities: NDArray[np.float32]

    def rows(self, chosen: NDArray[np.bool_]) -> Scored:
        """Return the texts that are chosen."""
        return Scored(self.labels, self.truth[chosen], self.probabilities[chosen])

    def decide(self, chosen: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return the decisions at one threshold a label, bool `[n, labels]`."""
        decided: NDArray[np.bool_] = self.probabilities >= chosen.astype(np.float32)
        return decided


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


_Chooser = Callable[[Scored, int, NDArray[np.float64], float], float]


def _column(scored: Scored, label: int, candidates: NDArray[np.float64]) -> Counts:
    return thresholds.count(scored.truth[:, label], scored.probabilities[:, label], candidates)


def plain(scored: Scored, label: int, candidates: NDArray[np.float64], beta: float) -> float:
    """Return the candidate with the best F-beta on the texts as they are."""
    return float(thresholds.best(candidates, _column(scored, label, candidates), beta)[0])


def bagged(scored: Scored, label: int, candidates: NDArray[np.float64], beta: float) -> float:
    """Return the median of the best candidates of `RESAMPLES` bootstrap resamples of the texts."""
    weights = bootstrap.resamples(len(scored.truth), RESAMPLES, _SEED)
    counts = thresholds.count(scored.truth[:, label], scored.probabilities[:, label], candidates, weights)
    # A resample without a positive says nothing.
    drawn = counts.support[:, 0] > 0
    return float(np.median(thresholds.best(candidates, counts, beta)[drawn]))


def shrunk(scored: Scored, label: int, candidates: NDArray[np.float64], beta: float) -> float:
    """Return the candidate with the best F-beta after `PSEUDO_POSITIVES` of the other labels are added."""
    own = _column(scored, label, candidates)
    pooled = thresholds.count(scored.truth.ravel(), scored.probabilities.ravel(), candidates)
    others = Counts(*(total - part for total, part in zip(pooled, own, strict=True)))
    share = PSEUDO_POSITIVES / max(float(others.support[0, 0]), 1.0)
    smoothed = Counts(*(part + share * other for part, other in zip(own, others, strict=True)))
    return float(thresholds.best(candidates, smoothed, beta)[0])


METHODS: dict[str, _Chooser] = {"plain": plain, "bagged": bagged, "shrunk": shrunk}


def choose(scored: Scored, choice: Choice) -> NDArray[np.float64]:
    """Return one threshold a label, in label order, `[labels]`.

    A label with a floor is chosen by the texts as they are, whatever the method: a floor is a promise
    about counts, and holds on this split.

    Raises:
        ThresholdError: a label without positives, or a floor that no candidate keeps.
    """
    found = []
    for index, label in enumerate(scored.labels):
        if not scored.truth[:, index].any():
            raise ThresholdError(f"label {label!r}: found no positive text, expected at least one")
        candidates = CANDIDATES[choice.candidates](scored.probabilities[:, index])
        floor = (choice.floors or {}).get(label)
        if floor is None:
            found.append(METHODS[choice.method](scored, index, candidates, choice.beta))
            continue
        try:
            found.append(thresholds.best_above(candidates, _column(scored, index, candidates), floor))
        except ThresholdError as error:
            raise ThresholdError(f"label {label!r}: {error}") from error
    return np.array([thresholds.shortest(value) for value in found])


def held_out(scored: Scored, choice: Choice, seed: int) -> NDArray[np.bool_]:
    """Return decisions on each fifth of the texts at thresholds chosen on the others, `[n, labels]`.

    `seed` says which texts are together in a fifth.
    """
    fold = np.random.default_rng(seed).permutation(len(scored.truth)) % FOLDS
    decided = np.zeros(scored.truth.shape, bool)
    for index in range(FOLDS):
        decided[fold == index] = scored.rows(fold == index).decide(choose(scored.rows(fold != index), choice))
    return decided
