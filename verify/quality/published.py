"""Read the figures that a recipe names to compare an evaluation with, and say what a comparison must know."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import RecipeError
from core.untrusted import json_file
from core.untrusted.regular_file import FIELD_ERRORS, naming

if TYPE_CHECKING:
    from core.recipe import Recipe

_FIGURES = ("precision", "recall", "f1")


def _check_figures(row: dict[str, Any], *more: str) -> None:
    for name in (*_FIGURES, *more):
        value = row[name]
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError(f"{name}: found {value!r}, expected a number or null")


def read(recipe: Recipe, folder: Path) -> dict[str, Any] | None:
    """Return the recipe's published table; None where it names none.

    Its keys are `source`, `encoder`, `split`, `note`, `averages` (protocol → macro and weighted, or null)
    and `labels`, rows like those of `evaluation.json` whose precision, recall and F1 may be null.

    Raises:
        RecipeError: the file is missing, or has another layout.
    """
    if recipe.card.published is None:
        return None
    path = folder / recipe.card.published
    table = json_file.read_object(path, RecipeError)
    with naming(path, RecipeError, "not a table of published figures", *FIELD_ERRORS):
        for key in ("source", "encoder", "split", "note"):
            if not isinstance(table[key], str):
                raise ValueError(f"{key}: found {table[key]!r}, expected a text")
        for averages in table["averages"].values():
            for kind in ("macro", "weighted"):
                if averages[kind] is not None:
                    _check_figures(averages[kind])
        for row in table["labels"]:
            _check_figures(row, "threshold")
            if not isinstance(row["label"], str):
                raise ValueError(f"label: found {row['label']!r}, expected a text")
    return table


def is_of(encoder: str, source: str) -> bool:
    """Whether a source is the published encoder, `OWNER/NAME`: the hub's, or a local folder of that name."""
    kind, _, reference = source.partition(":")
    *owner, name = reference.partition("@")[0].rstrip("/").lower().split("/")
    *published_owner, published_name = encoder.lower().split("/")
    return name == published_name and (kind != "hub" or owner == published_owner)


def remarks(card: dict[str, Any], encoder: str, thresholds: dict[str, float]) -> list[str]:
    """Return what a reader must know before comparing with published figures.

    Args:
        card: the published table.
        encoder: the source that the build's encoder came from.
        thresholds: label → threshold, as packaged.
    """
    notes = [card["note"]]
    if not is_of(card["encoder"], encoder):
        notes.insert(
            0,
            f"The encoder here is {encoder}, not {card['encoder']}, which the published head was trained and "
            "measured on: a difference is that of two encoders and two heads, not of this toolchain.",
        )
    if thresholds == {row["label"]: row["threshold"] for row in card["labels"]}:
        notes.append(
            f"The packaged thresholds are the published ones, which were chosen on the {card['split']} "
            "split: `dev-tuned` is not an independent measurement here."
        )
    return notes
