"""Which way to choose thresholds is better, and whether a variant wants its own.

Thresholds come from dev; what they are worth is measured on test, with a bootstrap over its texts. Its
interval has the luck of the test texts in it, not that of the dev texts that the thresholds saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from verify.quality import bootstrap, metrics
from verify.quality.bootstrap import Interval
from verify.quality.threshold_methods import METHODS, Choice, Scored, choose, held_out
from verify.quality.thresholds import CANDIDATES

_RESAMPLES = 2000
_SEED = 0
# Foldings of dev that `held out` is the mean of: one alone is off by 0.003.
_FOLDINGS = 3


class Row(NamedTuple):
    """A way to choose: its macro-F1, and the difference to the first way's on test."""

    name: str
    dev: float
    held_out: float
    test: float
    difference: Interval


class Own(NamedTuple):
    """A variant with its own thresholds against another variant's: macro-F1 on test."""

    labels_that_differ: int
    own: float
    others: float
    difference: Interval


def macro_f1(scored: Scored, decisions: NDArray[np.bool_]) -> float:
    """Return macro-F1 of decisions, bool `[n, labels]`."""
    return metrics.metrics(scored.truth, decisions).average(weighted=False)[2]


def _weights(test: Scored) -> NDArray[np.float64]:
    return bootstrap.resamples(len(test.truth), _RESAMPLES, _SEED)


def _held_out(dev: Scored, choice: Choice) -> float:
    return float(np.mean([macro_f1(dev, held_out(dev, choice, seed)) for seed in range(_FOLDINGS)]))


def methods(dev: Scored, test: Scored, choice: Choice) -> list[Row]:
    """Compare every method with every kind of candidates, at the choice's beta and without floors.

    Raises:
        ThresholdError: a label without positives.
    """
    weights = _weights(test)
    rows: list[Row] = []
    first = np.zeros(0)
    for candidates in CANDIDATES:
        for method in METHODS:
            one = replace(choice, method=method, candidates=candidates, floors=None)
            limits = choose(dev, one)
            resampled = bootstrap.macro_f1(test.truth, test.decide(limits), weights)
            first = first if rows else resampled
            rows.append(
                Row(
                    one.name,
                    macro_f1(dev, dev.decide(limits)),
                    _held_out(dev, one),
                    macro_f1(test, test.decide(limits)),
                    bootstrap.interval(resampled - first),
                )
            )
    return rows


def own(test: Scored, own_limits: NDArray[np.float64], other_limits: NDArray[np.float64]) -> Own:
    """Compare two lists of thresholds, float64 `[labels]`, on one variant's test probabilities."""
    weights = _weights(test)
    decided = [test.decide(limits) for limits in (own_limits, other_limits)]
    mine, others = (bootstrap.macro_f1(test.truth, decisions, weights) for decisions in decided)
    return Own(
        int((own_limits != other_limits).sum()),
        macro_f1(test, decided[0]),
        macro_f1(test, decided[1]),
        bootstrap.interval(mine - others),
    )


def _interval(found: Interval) -> str:
    return f"{found.mean:+.4f}  [{found.low:+.4f}, {found.high:+.4f}]"


def table(variant: str, rows: Sequence[Row]) -> str:
    """Return the methods as text."""
    against = f"test against {rows[0].name}, 95 %"
    lines = [
        f"{variant}: macro-F1 of thresholds chosen on dev",
        f"{'method':<16}{'dev':>8}{'held out':>10}{'test':>8}  {against:>30}",
        *(
            f"{row.name:<16}{row.dev:>8.4f}{row.held_out:>10.4f}{row.test:>8.4f}  "
            f"{_interval(row.difference):>30}"
            for row in rows
        ),
        "dev: where they were chosen, so too good; held out: each fifth of dev by the other four, the mean",
        f"of {_FOLDINGS} foldings. Minimums (--min-precision, --min-recall) are left out of the comparison.",
    ]
    return "\n".join(lines)


def own_line(variant: str, other: str, found: Own) -> str:
    """Return the comparison of own with another variant's thresholds as one line."""
    return (
        f"{variant} on test, macro-F1: {found.own:.4f} with its own thresholds, {found.others:.4f} with "
        f"{other}'s ({found.labels_that_differ} labels differ): {_interval(found.difference)}"
    )
