"""Compare the methods of choosing thresholds, and a variant's own thresholds with another's.

Thresholds come from dev; what they are worth is measured on test, with a bootstrap over its texts. Its
interval has the luck of the test texts in it, not that of the dev texts that the thresholds saw. All are
measured on the same resamples, so what a resample does to both sides of a difference drops out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from core import decisions
from core.decisions import Floats, macro_f1
from core.thresholds import CANDIDATES, METHODS, Choice, Scored, choose, held_out

_RESAMPLES = 2000
_SEED = 0
# What the percentile interval leaves out, half of it on each side.
_LEVEL = 0.05
# Foldings of dev that `held out` is the mean of: one alone is off by 0.003.
_FOLDINGS = 3


class Interval(NamedTuple):
    """A mean over resamples, and the interval that 95 % of them are in."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.4f}  [{self.low:+.4f}, {self.high:+.4f}]"


class Row(NamedTuple):
    """A method: its macro-F1, and the difference to the first method's on test."""

    name: str
    dev: float
    held_out: float
    test: float
    difference: Interval


def interval(values: Floats) -> Interval:
    """Return the mean of resampled values and their percentile interval."""
    low, high = np.quantile(values, [_LEVEL / 2, 1 - _LEVEL / 2])
    return Interval(float(values.mean()), float(low), float(high))


def resamples(texts: int, repeats: int, seed: int) -> Floats:
    """Return how often a bootstrap draws each text, float64 `[repeats, texts]`; a row's sum is `texts`."""
    random = np.random.default_rng(seed)
    drawn = [np.bincount(random.integers(0, texts, texts), minlength=texts) for _ in range(repeats)]
    return np.array(drawn, np.float64)


def resampled_macro_f1(scored: Scored, thresholds: Floats, weights: Floats) -> Floats:
    """Return macro-F1 in each of r resamples of the texts, `[r]`; `weights` `[r, n]` is of `resamples`."""
    counts = decisions.count(scored.truth, scored.decide(thresholds), weights)
    means: Floats = counts.f_beta().mean(axis=1)
    return means


def _macro_f1(scored: Scored, thresholds: Floats) -> float:
    return macro_f1(scored.truth, scored.decide(thresholds))


def methods(dev: Scored, test: Scored, choice: Choice) -> list[Row]:
    """Compare every method with every kind of candidates, at the choice's beta and without floors.

    Raises:
        ThresholdError: a label without positives.
    """
    weights = resamples(len(test.truth), _RESAMPLES, _SEED)
    choices = [
        replace(choice, method=method, candidates=candidates, floors=None)
        for candidates in CANDIDATES
        for method in METHODS
    ]
    thresholds = [choose(dev, each) for each in choices]
    resampled = [resampled_macro_f1(test, each, weights) for each in thresholds]
    return [
        Row(
            each.name,
            _macro_f1(dev, chosen),
            float(np.mean([macro_f1(dev.truth, held_out(dev, each, seed)) for seed in range(_FOLDINGS)])),
            _macro_f1(test, chosen),
            interval(on_test - resampled[0]),
        )
        for each, chosen, on_test in zip(choices, thresholds, resampled, strict=True)
    ]


def table(variant: str, rows: Sequence[Row]) -> str:
    """Return the methods as text."""
    against = f"test against {rows[0].name}, 95 %"
    lines = [
        f"{variant}: macro-F1 of thresholds chosen on dev",
        f"{'method':<16}{'dev':>8}{'held out':>10}{'test':>8}  {against:>30}",
        *(
            f"{row.name:<16}{row.dev:>8.4f}{row.held_out:>10.4f}{row.test:>8.4f}  {row.difference!s:>30}"
            for row in rows
        ),
        "dev: where they were chosen, so too good; held out: each fifth of dev by the other four, the mean",
        f"of {_FOLDINGS} foldings. Minimums (--min-precision, --min-recall) are left out of the comparison.",
    ]
    return "\n".join(lines)


def own_line(variant: str, other: str, test: Scored, own: Floats, others: Floats) -> str:
    """Compare a variant's own thresholds with another's, both `[labels]`, on its test texts in one line."""
    weights = resamples(len(test.truth), _RESAMPLES, _SEED)
    ours, theirs = (resampled_macro_f1(test, thresholds, weights) for thresholds in (own, others))
    return (
        f"{variant} on test, macro-F1: {_macro_f1(test, own):.4f} with its own thresholds, "
        f"{_macro_f1(test, others):.4f} with {other}'s ({int((own != others).sum())} labels differ): "
        f"{interval(ours - theirs)}"
    )
