"""Lay out the report's tables and plots of an evaluation, beside the published card's figures."""

from __future__ import annotations

from typing import Any

import numpy as np

from core import decisions
from verify.quality.curves import precision_recall, reliability
from verify.quality.evaluate_table import DEV_TUNED, TEST_TUNED
from verify.report import plots as report_plots
from verify.report.inputs import Evaluation

PROTOCOLS = (DEV_TUNED, TEST_TUNED)
_FIGURES = ("precision", "recall", "f1")
_KINDS = ("macro", "weighted")


def _beside(ours: dict[str, Any] | None, theirs: dict[str, Any] | None) -> list[tuple[Any, Any]]:
    """Return precision, recall and F1, each with its difference from the published one, if any."""
    cells = []
    for name in _FIGURES:
        value, other = (ours or {}).get(name), (theirs or {}).get(name)
        cells.append((value, None if value is None or other is None else value - other))
    return cells


def averages(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return a row a variant and protocol, then the published ones.

    Returns:
        Rows of ``{who, protocol, split, cells}``: macro precision, recall and F1, then weighted, with
        their difference from the published ones of the protocol; `dev-tuned`, which has none, from
        those that were tuned on the test split.
    """
    published: dict[str, Any] = (evaluation.published or {}).get("averages") or {}
    rows = []
    for row in evaluation.variants:
        for name, protocol in row["protocols"].items():
            theirs = published.get(TEST_TUNED if name == DEV_TUNED else name) or {}
            cells = [cell for kind in _KINDS for cell in _beside(protocol[kind], theirs.get(kind))]
            rows.append({"who": row["variant"], "protocol": name, "split": protocol["split"], "cells": cells})
    for name, averaged in published.items():
        cells = [cell for kind in _KINDS for cell in _beside(averaged.get(kind), None)]
        rows.append({"who": "published", "protocol": name, "split": "test", "cells": cells})
    return rows


def tables(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return a table a variant: ``{variant, rows}``, a row a label with both protocols and the published."""
    theirs = {row["label"]: row for row in (evaluation.published or {}).get("labels", [])}
    by_variant = []
    for variant in evaluation.variants:
        protocols = [variant["protocols"][name] for name in PROTOCOLS]
        rows = [
            {
                "label": per_label[0]["label"],
                "support": per_label[0]["support"],
                "tuned": [(row["threshold"], _beside(row, theirs.get(row["label"]))) for row in per_label],
                "published": theirs.get(per_label[0]["label"]),
            }
            for per_label in zip(*(protocol["labels"] for protocol in protocols), strict=True)
        ]
        by_variant.append({"variant": variant["variant"], "rows": rows})
    return by_variant


def plots(evaluation: Evaluation, labels: list[str], thresholds: dict[str, float]) -> list[dict[str, Any]]:
    """Return the curves of each label.

    Returns:
        Rows of ``{label, threshold, positives, curve, average_precision, reliability,
        errors}``: plots as SVG, figures a variant in the order of `evaluation.variants`.
    """
    rows = []
    variants = [row["variant"] for row in evaluation.variants]
    for column, label in enumerate(labels):
        truth = evaluation.truth[:, column]
        scores = [evaluation.probabilities[name][:, column] for name in variants]
        curves = [precision_recall(truth, score) for score in scores]
        decided = decisions.decide(np.stack(scores, axis=1), np.array(thresholds[label]))
        counts = decisions.count(np.broadcast_to(truth[:, None], decided.shape), decided)
        chosen = list(zip(counts.recall().tolist(), counts.precision().tolist(), strict=True))
        bins = [reliability(truth, score) for score in scores]
        rows.append(
            {
                "label": label,
                "threshold": thresholds[label],
                "positives": int(truth.sum()),
                "curve": report_plots.precision_recall(label, curves, chosen),
                "average_precision": [curve.average_precision for curve in curves],
                "reliability": report_plots.reliability(label, bins),
                "errors": [of_variant.error for of_variant in bins],
            }
        )
    return rows
