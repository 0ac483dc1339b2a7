"""Put chosen thresholds where the recipe's builds read them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.build.inputs import overrides
from core.contract import RECIPE_FILE, THRESHOLDS_FILE
from core.disk.files import write_text
from core.errors import ThresholdError

if TYPE_CHECKING:
    from core.recipe import Recipe

_TABLE = f'\n# Chosen by `make thresholds APPLY=1`.\n[thresholds]\nsource = "{THRESHOLDS_FILE}"\n'


def place(recipe: Recipe, folder: Path) -> Path:
    """Return the file that a recipe's thresholds are read from, or will be.

    It is the head's own where that is a folder on this machine, else one in the recipe's folder.

    Raises:
        ThresholdError: the make line has another head, or the recipe pins the file by its hash, or has a
            table `[thresholds]` that would have to be changed.
    """
    stated, file = folder / RECIPE_FILE, recipe.thresholds.source
    if "HEAD" in overrides():
        raise ThresholdError("--apply: found HEAD on the make line, expected the recipe's own head")
    if file is not None:
        return folder / file
    kind, _, reference = recipe.head.source.partition(":")
    if kind == "path":
        if THRESHOLDS_FILE in recipe.head.sha256:
            raise ThresholdError(
                f"{stated}: head.sha256 pins {THRESHOLDS_FILE}; leave it out to apply others"
            )
        return folder / Path(reference).expanduser() / THRESHOLDS_FILE
    if recipe.thresholds.default is not None:
        line = f'source = "{THRESHOLDS_FILE}"'
        raise ThresholdError(f"{stated}: thresholds: found no source, expected {line}: the head is not here")
    return folder / THRESHOLDS_FILE


def name_in_recipe(recipe: Recipe, folder: Path, file: Path) -> None:
    """Make a recipe read a file that it did not name."""
    is_read = recipe.thresholds.source is not None or recipe.head.source.startswith("path:")
    if not is_read and file == folder / THRESHOLDS_FILE:
        path = folder / RECIPE_FILE
        write_text(path, path.read_text("utf-8").rstrip("\n") + "\n" + _TABLE)
