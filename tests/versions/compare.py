"""What versions of onnxruntime say of the same texts, against the build's own and what graphs state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from core.errors import GateError


class Difference(NamedTuple):
    """Texts that are decided otherwise, and the largest and the mean change of a probability."""

    texts: int
    otherwise: int
    largest: float
    mean: float


class Outcome(NamedTuple):
    """Of one graph in one version: how its answers differ, or the error in their place."""

    version: str
    graph: str
    stated: str
    differences: dict[str, Difference]
    error: str = ""


def number(version: str) -> tuple[int, ...]:
    """Return the parts of a version, or of a package's such as `node-1.17`, which compare as versions do."""
    return tuple(map(int, version.rpartition("-")[2].split(".")))


def check(outcomes: Iterable[Outcome]) -> None:
    """Hold each version to what the graphs state: from the oldest on it answers, and decides the same.

    Raises:
        GateError: one does not, or a version before the oldest answers as well; the message has all.
    """
    wrong = []
    for found in outcomes:
        place = f"onnxruntime {found.version}, {found.graph}"
        promised = number(found.version) >= number(found.stated)
        if promised and found.error:
            wrong.append(f"{place}: found no answer ({found.error}), expected one from {found.stated} on")
        if not promised and not found.error:
            wrong.append(f"{place}: found an answer, expected the first in {found.stated}, as it states")
        for how, difference in found.differences.items():
            if promised and difference.otherwise:
                decided = f"{difference.otherwise} of {difference.texts} texts decided otherwise"
                wrong.append(f"{place}, {how}: found {decided}, expected none")
    if wrong:
        raise GateError("; ".join(wrong))


def table(outcomes: Iterable[Outcome]) -> str:
    """Return the outcomes as a table in Markdown: of alone and in batches the larger numbers."""
    lines = [
        "| onnxruntime | graph | decided otherwise | largest change | mean change |",
        "| --- | --- | --- | --- | --- |",
    ]
    for found in outcomes:
        rows = found.differences.values()
        told = f"– ({found.error}) | |"
        if not found.error:
            otherwise, texts = (max(row[at] for row in rows) for at in (1, 0))
            largest, mean = max(row.largest for row in rows), max(row.mean for row in rows)
            told = f"{otherwise} of {texts} | {largest:.1e} | {mean:.1e}"
        lines.append(f"| {found.version} | {found.graph} | {told} |")
    return "\n".join(lines)


def summary(outcomes: Iterable[Outcome]) -> str:
    """Return the outcomes of many graphs as a line a version."""
    versions: dict[str, list[Outcome]] = {}
    for found in outcomes:
        versions.setdefault(found.version, []).append(found)
    lines = []
    for version, rows in versions.items():
        differences = [one for row in rows for one in row.differences.values()]
        answered = f"{version}: {sum(not row.error for row in rows)} of {len(rows)} forms of graphs answer"
        if differences:
            otherwise, largest = (max(one[at] for one in differences) for at in (1, 2))
            answered += f", at most {otherwise} texts decided otherwise, largest change {largest:.1e}"
        lines.append(answered)
    return "\n".join(lines)
