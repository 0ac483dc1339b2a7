"""Say what to begin with, and what the columns of the table of variants are and were measured on."""

from __future__ import annotations

from typing import Any

from verify import readable
from verify.report.overview import EXACT, Overview
from verify.report.words import quality, reference


def start(overview: Overview, described: dict[str, Any]) -> str:
    """Return in plain words what the first row's file is."""
    first = overview.rows[0]
    if described["text"]:
        return f"It is {first.take}, and onnxruntime is all that it needs"
    return f"It is {first.name}: token ids, which tokenizer.json makes of a text, go in, and labels come out"


def notes(overview: Overview, described: dict[str, Any]) -> list[str]:
    """Return what the columns are and were measured on, as sentences of plain text."""
    sentences = []
    if found := overview.evaluation:
        mean = "is" if "accuracy" in found else f"is the mean F1 of all {len(found['labels'])} labels,"
        on = f"the {readable.count(found['texts'])} {found['split']} texts of {found['data']}"
        name = readable.sentence(overview.figure_name)
        sentences.append(f"{name} {mean} on {on}, at the thresholds in the files.")
        if same := quality.no_difference(described["evaluations"]):
            sentences[-1] += f" {same}"
    texts, rate = reference.called(described), described["variants"][0]["parity"]["flip_rate"]
    if overview.since_fp32:
        exact = next(variant for variant in described["variants"] if variant["name"] == EXACT)
        rate = exact["parity"]["flip_rate"]
        given, to = ("other labels than", readable.percent(rate)) if rate else ("the same labels as", "all")
        sentences.append(
            "Other labels: how many of these texts get other labels than from fp32. fp32 itself gives "
            f"{given} the original in PyTorch to {to} of the {texts}."
        )
    else:
        sentences.append(
            f"Other labels: how many of the {texts} get other labels than from the original in PyTorch."
        )
    if speed := overview.speed:
        name = next((row.name for row in overview.rows if row.name in speed["variants"]), "")
        alone = (speed["variants"].get(name) or {}).get("latency_ms")
        one = f"for a text alone on {readable.threads(speed['one']['threads'])}"
        sentences.append(
            f"Speed: {speed['data']}, in batches of {speed['batch']}, {readable.threads(speed['threads'])}, "
            f"{speed['cpu']}{f'; {name} takes {readable.error(alone)} ms {one}' if alone else ''}."
        )
    return sentences
