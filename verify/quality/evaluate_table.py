"""Print an evaluation: a table a variant and protocol, ours beside published figures where there are some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from verify.quality import single_label

DEV_TUNED = "dev-tuned"
TEST_TUNED = "test-tuned"
AT_HALF = "at-0.5"
DEV = "dev"

_FIGURES = ("f1", "precision", "recall")
_AVERAGES = ("macro", "weighted")
_NAME = 16
_TITLES = {
    DEV_TUNED: "the packaged thresholds, chosen without test, measured on test",
    TEST_TUNED: "thresholds chosen on test, on the grid of 0.05, as published cards do",
    AT_HALF: "0.5 for every label, on test",
    DEV: "the packaged thresholds, on dev",
}


def _number(value: float | None, width: int, sign: str = "") -> str:
    return f"{'–':>{width}}" if value is None else f"{value:{sign}{width}.3f}"


def _compared(ours: dict[str, Any], theirs: dict[str, Any] | None) -> str:
    """Return `ours published difference` for F1, precision and recall."""
    cells = []
    for figure in _FIGURES:
        published = theirs[figure] if theirs else None
        difference = None if published is None else ours[figure] - published
        cells.append(f"{ours[figure]:7.3f}{_number(published, 7)}{_number(difference, 8, '+')}")
    return " ".join(cells)


def _alone(row: dict[str, Any]) -> str:
    return "".join(f"{row[figure]:11.3f}" for figure in _FIGURES)


def per_label(protocol: dict[str, Any]) -> list[str]:
    """Return a protocol's rows and averages."""
    lines = [f"{'label':<{_NAME}}{'F1':>11}{'precision':>11}{'recall':>11}{'support':>9}{'threshold':>11}"]
    for row in protocol["labels"]:
        lines.append(f"{row['label']:<{_NAME}}{_alone(row)}{row['support']:>9}{_short(row['threshold']):>11}")
    return [*lines, *(f"{kind + ' average':<{_NAME}}{_alone(protocol[kind])}" for kind in _AVERAGES)]


def beside_published(protocol: dict[str, Any], published: dict[str, Any], name: str) -> list[str]:
    """Return a protocol's rows and averages, each beside the published and with the difference.

    Averages over other labels than the published ones are not compared.
    """
    theirs = {row["label"]: row for row in published["labels"]}
    column = f"{'ours':>7}{'card':>7}{'diff':>8}"
    lines = [
        f"{'':<{_NAME}}{'F1':>22} {'precision':>22} {'recall':>22}{'':>9}{'threshold':>13}",
        f"{'label':<{_NAME}}{column} {column} {column}{'support':>9}{'ours':>7}{'card':>6}",
    ]
    for row in protocol["labels"]:
        card = theirs.get(row["label"])
        limit = _short(card["threshold"] if card else None)
        lines.append(
            f"{row['label']:<{_NAME}}{_compared(row, card)}{row['support']:>9}"
            f"{_short(row['threshold']):>7}{limit:>6}"
        )
    same = {row["label"] for row in protocol["labels"]} == set(theirs)
    averages = published["averages"].get(name, {}) if same else {}
    for kind in _AVERAGES:
        lines.append(f"{kind + ' average':<{_NAME}}{_compared(protocol[kind], averages.get(kind))}")
    return lines


def _beside(protocols: dict[str, Any], card: dict[str, Any] | None, name: str) -> list[str]:
    return beside_published(protocols[name], card, name) if card else per_label(protocols[name])


def _short(threshold: float | None) -> str:
    return "–" if threshold is None else f"{threshold:.4g}"


def _tables(protocols: dict[str, Any], card: dict[str, Any] | None) -> dict[str, list[str]]:
    """Return the lines of each protocol."""
    if single_label.PACKAGED in protocols:
        tables = {}
        for name, protocol in protocols.items():
            rows = per_label(protocol)
            shown = rows if name == single_label.PACKAGED else [rows[0], *rows[-2:]]
            tables[name] = [*shown, single_label.described(protocol)]
        return tables
    half, dev = _beside(protocols, card, AT_HALF), per_label(protocols[DEV])
    return {
        DEV_TUNED: per_label(protocols[DEV_TUNED]),
        TEST_TUNED: _beside(protocols, card, TEST_TUNED),
        # Per label, 0.5 says little: only the averages, which the card has, too.
        AT_HALF: [*half[: 2 if card else 1], *half[-2:]],
        DEV: [dev[0], *dev[-2:]],
    }


def _measured(protocol: dict[str, Any]) -> str:
    """Return on which texts a protocol is measured."""
    left_out = protocol.get("left_out")
    more = f" with one label, {left_out} others left out" if left_out else ""
    return f"{protocol['split']}, {protocol['texts']} texts{more}"


def text(evaluation: dict[str, Any], remarks: Sequence[str]) -> str:
    """Return everything `make evaluate` prints at its end."""
    card = evaluation["published"]
    lines = []
    for variant in evaluation["variants"]:
        protocols = variant["protocols"]
        titles = single_label.TITLES if single_label.PACKAGED in protocols else _TITLES
        for name, rows in _tables(protocols, card).items():
            heading = f"{variant['variant']}, {name}: {titles[name]} ({_measured(protocols[name])})"
            lines += [f"\n{heading}", *rows]
    source = [f"Card: {card['source']}"] if card else []
    lines += ["", *source, *(f"Note: {remark}" for remark in remarks), ""]
    for variant in evaluation["variants"]:
        texts = next(iter(variant["protocols"].values()))["texts"]
        lines.append(
            f"  evaluate {variant['variant']:<11}{texts} test texts in {variant['seconds']:.1f} s after load"
        )
    return "\n".join(lines)
