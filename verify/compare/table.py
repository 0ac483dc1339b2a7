"""What `compare` found, as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from verify.escape import cell


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> list[str]:
    rule = ["---"] * words + ["---:"] * (len(header) - words)
    return [f"| {' | '.join(row)} |" for row in (header, rule, *rows)]


def _spread(found: dict[str, float], digits: int) -> str:
    return f"{found['median']:,.{digits}f} ({found['low']:,.{digits}f}–{found['high']:,.{digits}f})"


def _decisions(pair: dict[str, Any]) -> list[str]:
    rows = []
    for one in pair["texts"]:
        scored = "a" in one
        scores = [one["a"]["macro_f1"], one["b"]["macro_f1"]] if scored else []
        change = [f"{scores[1] - scores[0]:+.4f}"] if scored else []
        worst = one["worst"][0]
        rows.append(
            [
                one["name"],
                f"{cell(worst['label'])} of {cell(repr(worst['text'][:60]))}",
                str(one["texts"]),
                f"{one['flip_rate']:.4f}",
                f"{one['max_probability_change']:.1e}",
                *(f"{score:.4f}" for score in scores),
                *change,
                *([] if scored else ["", "", ""]),
            ]
        )
    header = ["texts", "largest change", "count", "flip rate", "max Δp", "macro F1 A", "macro F1 B", "B − A"]
    return _table(header, rows, words=2)


def _speed(pair: dict[str, Any]) -> list[str]:
    rows = (
        [
            str(row["batch"]),
            _spread(row["a"], 0),
            _spread(row["b"], 0),
            _spread(row["b_times_as_fast_as_a"], 2),
        ]
        for row in pair["speed"]
    )
    return _table(["batch", "A texts/s", "B texts/s", "B times as fast as A"], rows, words=0)


def _labels(pair: dict[str, Any]) -> list[str]:
    sets = pair["texts"]
    scored = [one for one in sets if "a" in one]
    header = ["label", *(f"flips, {one['name']}" for one in sets)]
    header += [name for _ in scored for name in ("F1 A", "F1 B", "B − A")]
    rows = []
    for label in sets[0]["flips"]:
        row = [cell(label), *(str(one["flips"][label]) for one in sets)]
        for one in scored:
            ours, theirs = one["a"]["f1"].get(label), one["b"]["f1"].get(label)
            known = ours is not None and theirs is not None
            row += [f"{ours:.3f}", f"{theirs:.3f}", f"{theirs - ours:+.3f}"] if known else ["", "", ""]
        rows.append(row)
    return _table(header, rows)


def markdown(found: dict[str, Any]) -> str:
    """Return the tables of the content of `--json`; a section a pair of variants."""
    lines = [
        f"A is {cell(found['a'])}, B is {cell(found['b'])}. A flip is a decision that differs. Speed: "
        f"medians of {found['plan']['rounds']} interleaved rounds of {found['plan']['texts']} texts "
        f"(lowest–highest), threads: {found['plan']['threads']}.",
        *found["notes"],
    ]
    for pair in found["pairs"]:
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
