"""Say first what goes in and comes out, how good it is, what it is for, and what to mind."""

from __future__ import annotations

from typing import Any

from core.contract import SINGLE_LABEL
from verify import readable
from verify.report.overview import Overview
from verify.report.words import quality

# Labels that are named where the recipe has no description.
_LISTED = 6


def what(described: dict[str, Any], card: dict[str, Any]) -> str:
    """Return what goes in and what comes out; `card` is the recipe's table."""
    labels = described["head"]["labels"]
    listed = (
        readable.series(labels) if len(labels) <= _LISTED else f"{', '.join(labels[:_LISTED])} and others"
    )
    first = card.get("description") or f"Labels a text with {len(labels)} labels: {listed}."
    if described["head"]["problem_type"] == SINGLE_LABEL:
        return (
            f"{first} It is single-label: the probabilities of a text add up to 1, and the decision is the "
            "label with the highest."
        )
    return f"{first} A text may get several labels, or none."


def _how_good(described: dict[str, Any], seen: Overview, mark: str) -> str:
    figure, found = seen.rows[0].figure, seen.evaluation
    if figure is None or found is None:
        why = "make evaluate was not run" if described["data"] else "the recipe names no texts with labels"
        return f"how often its labels are right was not measured: {why}."
    shown = f"{seen.figure_name} is {mark}{readable.score(figure)}{mark}"
    said, named = quality.right(found, mark), quality.best_and_weakest(found)
    return " ".join(
        [f"{said}. {readable.sentence(shown)}." if said else f"{shown}.", *([named] if named else [])]
    )


def points(
    described: dict[str, Any], card: dict[str, Any], seen: Overview, mark: str = ""
) -> list[tuple[str, str]]:
    """Return names and sentences; figures stand between two `mark`s."""
    minded = [*(card.get("limits") or [])[:1], *((described["data"] or {}).get("limits") or [])[:1]]
    found = [
        ("How good", _how_good(described, seen, mark)),
        ("What for", card.get("use")),
        ("Not for", card.get("misuse")),
        ("Mind", " ".join(minded)),
    ]
    return [(name, words) for name, words in found if words]
