"""Lay out a comparison of two artifacts as Markdown tables."""

from __future__ import annotations

from typing import Any

from verify.escape import cell, table
from verify.readable import spread


def _decisions(pair: dict[str, Any]) -> list[str]:
    rows = []
    for compared in pair["texts"]:
        f1 = [compared[side]["macro_f1"] for side in ("a", "b") if side in compared]
        scores = [f"{f1[0]:.4f}", f"{f1[1]:.4f}", f"{f1[1] - f1[0]:+.4f}"] if f1 else ["", "", ""]
        worst = compared["worst"][0]
        largest = f"{cell(worst['label'])} of {cell(repr(worst['text'][:60]))}"
        change = [f"{compared['flip_rate']:.4f}", f"{compared['max_probability_change']:.1e}"]
        rows.append([compared["name"], largest, str(compared["texts"]), *change, *scores])
    header = ["texts", "largest change", "count", "flip rate", "max Δp", "macro F1 A", "macro F1 B", "B − A"]
    return table(header, rows, words=2)


def _speed(pair: dict[str, Any]) -> list[str]:
    rows = []
    for row in pair["speed"]:
        rates = spread(row["a"]), spread(row["b"]), spread(row["b_times_as_fast_as_a"], 2)
        rows.append([str(row["batch"]), *rates])
    return table(["batch", "A texts/s", "B texts/s", "B times as fast as A"], rows, words=0)


def _labels(pair: dict[str, Any]) -> list[str]:
    sets = pair["texts"]
    scored = [compared for compared in sets if "a" in compared]
    header = ["label", *(f"flips, {compared['name']}" for compared in sets)]
    header += [name for _ in scored for name in ("F1 A", "F1 B", "B − A")]
    rows = []
    for label in sets[0]["flips"]:
        row = [cell(label), *(str(compared["flips"][label]) for compared in sets)]
        for compared in scored:
            ours, theirs = compared["a"]["f1"].get(label), compared["b"]["f1"].get(label)
            known = ours is not None and theirs is not None
            row += [f"{ours:.3f}", f"{theirs:.3f}", f"{theirs - ours:+.3f}"] if known else ["", "", ""]
        rows.append(row)
    return table(header, rows, words=1)


def markdown(comparison: dict[str, Any]) -> str:
    """Return the tables of the content of `--json`; a section a pair of variants."""
    plan = comparison["plan"]
    lines = [
        f"A is {cell(comparison['a'])}, B is {cell(comparison['b'])}. A flip is a decision that differs. "
        f"Speed: medians of {plan['rounds']} interleaved rounds of {plan['texts']} texts "
        f"(lowest–highest), threads: {plan['threads']}; how many times as fast is the median of each "
        "round's own ratio, which need not be the ratio of the medians.",
    ]
    for pair in comparison["pairs"]:
        sizes = pair["size_bytes"]
        lines += [
            "",
            f"## A `{pair['a']}` and B `{pair['b']}`",
            "",
            f"Size: A {sizes['a'] / 1e6:.1f} MB, B {sizes['b'] / 1e6:.1f} MB, "
            f"{sizes['b'] / sizes['a']:.2f} times A's.",
            "",
            *_decisions(pair),
            "",
            *_speed(pair),
            "",
            *_labels(pair),
        ]
    return "\n".join(lines)
