"""The report's tables and plots of an evaluation: figures beside the published ones, curves per label."""

from __future__ import annotations

from typing import Any

import numpy as np

from verify import report_plots
from verify.curves import precision_recall, reliability
from verify.report_inputs import Evaluation

PROTOCOLS = ("dev-tuned", "test-tuned")
_FIGURES = ("precision", "recall", "f1")
_KINDS = ("macro", "weighted")


def _beside(found: dict[str, Any] | None, theirs: dict[str, Any] | None) -> list[tuple[Any, Any]]:
    """Return precision, recall and F1, each with its difference from the published one, if any."""
    cells = []
    for name in _FIGURES:
        value, other = (found or {}).get(name), (theirs or {}).get(name)
        cells.append((value, None if value is None or other is None else value - other))
    return cells


def _published_averages(published: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Return name → ``{macro, weighted}``: one set of published averages, or one a protocol."""
    found = (published or {}).get("averages") or {}
    if set(found) & set(_KINDS):
        return {"published": found}
    return {f"published, {name}": one for name, one in found.items()}


def averages(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return a row a variant and protocol, then the published ones.

    Returns:
        Rows of ``{who, protocol, split, cells}``: macro precision, recall and F1, then weighted, with
        their difference from the published ones where these are one set, and of the same split.
    """
    published = _published_averages(evaluation.published)
    theirs = published.get("published", {})
    rows = []
    for row in evaluation.variants:
        for name, found in row["protocols"].items():
            others = theirs if found["split"] == "test" else {}
            cells = [cell for kind in _KINDS for cell in _beside(found[kind], others.get(kind))]
            rows.append({"who": row["variant"], "protocol": name, "split": found["split"], "cells": cells})
    for name, found in published.items():
        cells = [cell for kind in _KINDS for cell in _beside(found.get(kind), None)]
        rows.append({"who": "", "protocol": name, "split": "", "cells": cells})
    return rows


def tables(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return a table a variant: ``{variant, rows}``, a row a label with both protocols and the published."""
    theirs = {row["label"]: row for row in (evaluation.published or {}).get("labels", [])}
    found = []
    for variant in evaluation.variants:
        protocols = [variant["protocols"][name] for name in PROTOCOLS]
        rows = [
            {
                "label": per_label[0]["label"],
                "support": per_label[0]["support"],
                "tuned": [(one["threshold"], _beside(one, theirs.get(one["label"]))) for one in per_label],
                "published": theirs.get(per_label[0]["label"]),
            }
            for per_label in zip(*(one["labels"] for one in protocols), strict=True)
        ]
        found.append({"variant": variant["variant"], "rows": rows})
    return found


def plots(evaluation: Evaluation, labels: list[str], thresholds: dict[str, float]) -> list[dict[str, Any]]:
    """Return the curves of each label.

    Returns:
        Rows of ``{label, threshold, positives, curve, average_precision, calibration,
        errors}``: plots as SVG, figures a variant in the order of `evaluation.variants`.
    """
    rows = []
    variants = [row["variant"] for row in evaluation.variants]
    for column, label in enumerate(labels):
        truth = evaluation.truth[:, column]
        scores = [evaluation.probabilities[name][:, column] for name in variants]
        curves = [precision_recall(truth, one) for one in scores]
        chosen = []
        for one in scores:
            said = one >= np.float32(thresholds[label])
            hits = int((truth & said).sum())
            chosen.append((hits / max(int(truth.sum()), 1), hits / max(int(said.sum()), 1)))
        bins = [reliability(truth, one) for one in scores]
        rows.append(
            {
                "label": label,
                "threshold": thresholds[label],
                "positives": int(truth.sum()),
                "curve": report_plots.precision_recall(label, curves, chosen),
                "average_precision": [curve.average_precision for curve in curves],
                "calibration": report_plots.reliability(label, bins),
                "errors": [one.error for one in bins],
            }
        )
    return rows
