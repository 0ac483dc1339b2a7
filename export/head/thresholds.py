"""Read the thresholds of a head: a file of its own or another, and the recipe's default for missing ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.build.facts import check_thresholds
from core.contract import RECIPE_FILE, SINGLE_LABEL, THRESHOLDS_FILE, ProblemType
from core.errors import HeadError, SourceError
from core.recipe import ThresholdsTable
from core.untrusted import json_file, limits, regular_file
from export.head.layout import check_known
from export.sources.resolve import Source


@dataclass(frozen=True)
class Thresholds:
    """What the files say: label → threshold in the file's own order, not checked yet, and the default."""

    path: Path
    values: dict[str, Any] | None
    default: float | None
    sha256: dict[str, str]

    @property
    def order(self) -> list[str] | None:
        """The labels of the file in its own order, or None where there is no file."""
        return None if self.values is None else list(self.values)

    def of(self, labels: Sequence[str], problem_type: ProblemType) -> dict[str, float]:
        """Return label → threshold for all labels, in their order.

        A label that has none gets the recipe's default; of a single-label head 0, which always answers.

        Raises:
            HeadError: a threshold is missing and has no default, or is not a number between 0 and 1; the
                message names the label.
        """
        values, default = self.values or {}, self.default
        if default is None and problem_type == SINGLE_LABEL:
            default = 0.0
        missing = [label for label in labels if label not in values]
        if missing and default is None:
            told = "is missing" if self.values is not None else "has no threshold: there is no such file"
            mend = "state a default in the recipe: [thresholds] default = 0.5"
            raise HeadError(f"{self.path}: label {missing[0]!r} of the recipe {told}; {mend}")
        stated = check_thresholds(values, list(values), problem_type, self.path, HeadError)
        place = f"{RECIPE_FILE}: thresholds.default"
        filled = check_thresholds(dict.fromkeys(missing, default), missing, problem_type, place, HeadError)
        return {label: (stated | filled)[label] for label in labels}


def read(source: Source, table: ThresholdsTable, recipe: Path, labels: Sequence[str]) -> Thresholds:
    """Read `thresholds.json` of a head, or the file that the recipe names in its place.

    Args:
        source: the head's.
        table: the recipe's `[thresholds]`.
        recipe: the recipe's folder, which the file's path is relative to.
        labels: the recipe's.

    Raises:
        SourceError: the recipe names a file that is not there.
        HeadError: not JSON; a label unknown or a duplicate.
    """
    path = source.folder / THRESHOLDS_FILE if table.source is None else recipe / table.source
    if not path.exists():
        if table.source is not None:
            raise SourceError(f"{path}: no such file, which thresholds.source names")
        return Thresholds(path, None, table.default, {})
    values = json_file.read(path, HeadError, limits.THRESHOLDS_BYTES, "label")
    if not isinstance(values, dict):
        raise HeadError(f"{path}: expected one object, label to threshold")
    check_known(path, list(values), labels)
    digest, _ = regular_file.sha256(path, limits.THRESHOLDS_BYTES, HeadError)
    return Thresholds(path, values, table.default, {THRESHOLDS_FILE: digest})
