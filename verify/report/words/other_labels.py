"""Put side by side on how many texts of which list a variant gives other labels, and what is allowed."""

from __future__ import annotations

from typing import Any

from verify import readable
from verify.report.words import reference

Rows = list[tuple[str, list[str]]]


def _held_out(quantization: dict[str, Any], variant: str) -> str:
    """Return what share of the texts that its plan was held against a variant gives other labels to."""
    if variant == "guarded":
        expected = (quantization.get("guarded") or {}).get("expected_flip_rate")
        return readable.UNKNOWN if expected is None else f"{readable.percent(expected)} expected"
    return readable.percent(quantization.get("held_out_flip_rate") if variant == "int8" else None)


def rows(described: dict[str, Any]) -> Rows:
    """Return lists of texts and, for each, a cell a variant in the order of the manifest; plain text."""
    variants, quantization = described["variants"], described["quantization"] or {}
    evaluations = {row["variant"]: row for row in described["evaluations"]}
    limits = [row["tolerance"]["max_flip_rate"] for row in variants]
    held = [_held_out(quantization, row["name"]) for row in variants]
    shares = [evaluations.get(row["name"], {}).get("flips_from_fp32") for row in variants]
    found: Rows = []
    if any(limit is not None for limit in limits):
        found.append(("the recipe allows", [*map(readable.percent, limits)]))
    if "held_out" in quantization and set(held) != {readable.UNKNOWN}:
        texts = readable.grouped(quantization["held_out"])
        words = f"held to that when the plan was chosen: {texts}, against float32"
        found.append((words, held))
    words = f"held to that by every build: the {reference.called(described)}, against the original"
    cells = [readable.counted(row["parity"]["flip_rate"], row["parity"]["texts"]) for row in variants]
    found.append((words, cells))
    if any(share is not None for share in shares):
        first = next(iter(evaluations.values()))
        texts = f"{readable.count(first['texts'])} {first['split']} texts of {first['data']}"
        words = f"looked at afterwards: {texts}, against fp32"
        found.append((words, [readable.counted(share, first["texts"]) for share in shares]))
    return found


def definition(single_label: bool) -> str:
    """Return what counts as a text with other labels."""
    if single_label:
        return "A text counts where it gets another label, or none in place of one."
    return "A text counts once, however many of its labels differ."
