"""Draw the report's plots as inline SVG. Colours are CSS classes of the page, so they follow its theme."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from core import decisions
from core.contract import ProblemType
from verify.escape import visible
from verify.quality.curves import PrecisionRecall, Reliability, precision_recall, reliability
from verify.report.inputs import Evaluation

# A unit square in a box of these units, which the page shows at about a pixel each.
_WIDTH, _HEIGHT = 180, 150
_LEFT, _TOP, _SIDE_X, _SIDE_Y = 24, 6, 150, 122
# A bin of fewer texts than this says little.
_FEW = 10


def _x(value: float) -> float:
    return _LEFT + value * _SIDE_X


def _y(value: float) -> float:
    return _TOP + (1 - value) * _SIDE_Y


def points(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Return a unit square's points in the plot's units, at half a unit; repeated ones are dropped."""
    places = [(round(2 * _x(float(a))) / 2, round(2 * _y(float(b))) / 2) for a, b in zip(x, y, strict=True)]
    return [place for index, place in enumerate(places) if index == 0 or place != places[index - 1]]


def _line(places: Iterable[tuple[float, float]], classes: str) -> str:
    path = " ".join(f"{a:g},{b:g}" for a, b in places)
    return f'<polyline class="{classes}" points="{path}"/>'


def _frame(title: str, body: str) -> Markup:
    ticks = [f'<path class="axis" d="M{_LEFT} {_TOP}V{_TOP + _SIDE_Y}H{_LEFT + _SIDE_X}"/>']
    for value, text in ((0, "0"), (0.5, ".5"), (1, "1")):
        ticks.append(f'<path class="grid" d="M{_LEFT} {_y(value):g}H{_LEFT + _SIDE_X}"/>')
        ticks.append(f'<text class="end" x="{_LEFT - 4}" y="{_y(value) + 3.5:g}">{text}</text>')
        ticks.append(f'<text class="middle" x="{_x(value):g}" y="{_HEIGHT - 9}">{text}</text>')
    return Markup(
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(visible(title))}">'
        f"{''.join(ticks)}{body}</svg>"
    )


def _precision_recall(
    label: str, curves: Sequence[PrecisionRecall], chosen: Sequence[tuple[float, float]]
) -> Markup:
    """Draw a curve a variant, recall to the right; `chosen` has (recall, precision) at its threshold."""
    parts = [
        _line(points(curve.recall, curve.precision), f"line v{index}") for index, curve in enumerate(curves)
    ]
    for index, (recall, precision) in enumerate(chosen):
        place = f'cx="{_x(recall):.1f}" cy="{_y(precision):.1f}"'
        parts.append(f'<circle class="dot v{index}" {place} r="{4 - index:g}"/>')
    return _frame(f"Precision by recall of {label}", "".join(parts))


def _reliability(label: str, variants: Sequence[Reliability]) -> Markup:
    """Draw the share of true texts by mean probability, a line a variant; faded where texts are few."""
    parts = [_line([(_x(0), _y(0)), (_x(1), _y(1))], "diagonal")]
    for index, bins in enumerate(variants):
        held = np.flatnonzero(bins.counts)
        places = points(bins.predicted[held], bins.observed[held])
        few = (bins.counts[held] < _FEW).tolist()
        for shade, faded in ((" few", True), ("", False)):
            steps = [
                f"M{a:g} {b:g}L{c:g} {d:g}"
                for ((a, b), (c, d)), ends in zip(pairwise(places), pairwise(few), strict=True)
                if any(ends) == faded
            ]
            if steps:
                parts.append(f'<path class="line v{index}{shade}" d="{"".join(steps)}"/>')
            parts += [
                f'<circle class="dot v{index}{shade}" cx="{a:g}" cy="{b:g}" r="2.6"/>'
                for (a, b), is_few in zip(places, few, strict=True)
                if is_few == faded
            ]
    return _frame(f"Reliability of {label}", "".join(parts))


def per_label(
    evaluation: Evaluation, labels: list[str], thresholds: dict[str, float], problem_type: ProblemType
) -> list[dict[str, Any]]:
    """Return the curves of each label.

    Returns:
        Rows of ``{label, threshold, positives, curve, average_precision, reliability,
        errors}``: plots as SVG, figures a variant in the order of `evaluation.variants`.
    """
    rows = []
    variants = [row["variant"] for row in evaluation.variants]
    limits = decisions.threshold_vector(thresholds, labels)
    every = [decisions.decide(evaluation.probabilities[name], limits, problem_type) for name in variants]
    for column, label in enumerate(labels):
        truth = evaluation.truth[:, column]
        scores = [evaluation.probabilities[name][:, column] for name in variants]
        curves = [precision_recall(truth, score) for score in scores]
        decided = np.stack([decisions_of[:, column] for decisions_of in every], axis=1)
        counts = decisions.count(np.broadcast_to(truth[:, None], decided.shape), decided)
        chosen = list(zip(counts.recall().tolist(), counts.precision().tolist(), strict=True))
        bins = [reliability(truth, score) for score in scores]
        rows.append(
            {
                "label": label,
                "threshold": thresholds[label],
                "positives": int(truth.sum()),
                "curve": _precision_recall(label, curves, chosen),
                "average_precision": [curve.average_precision for curve in curves],
                "reliability": _reliability(label, bins),
                "errors": [of_variant.error for of_variant in bins],
            }
        )
    return rows
