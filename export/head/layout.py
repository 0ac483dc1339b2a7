"""How a head lays out its answers: which output, which column of it, is which label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from core.errors import HeadError
from export.head.classes import Class

# A `(N, 2)` output a label; one value a label; one `(N, labels)` tensor; a sequence of `(N, 2)`; a dictionary
# a row (ZipMap).
Form = Literal["pairs", "vectors", "columns", "sequence", "maps"]
From = Literal["names", "integers", "recipe"]

# Classes of one label's own classifier, no and yes, in lower case.
_NO_AND_YES = [
    {"0", "1"},
    {"-1", "1"},
    {"false", "true"},
    {"no", "yes"},
    {"n", "y"},
    {"negative", "positive"},
]
_YES = {"1", "true", "yes", "y", "positive"}
SCORES = (
    "its answers are not probabilities: found {:.3g} to {:.3g}, expected 0 to 1; of scores (LinearSVC, "
    "RidgeClassifier, raw_scores), wrap the classifier in CalibratedClassifierCV and convert that"
)


@dataclass(frozen=True)
class Choice:
    """The head's own choice: the value that holds it, and the label that each class stands for.

    Where `of` is a label, the choice is its classifier's, between that label and anything else.
    """

    value: str
    labels: dict[Class, str]
    of: str | None = None


@dataclass(frozen=True)
class Layout:
    """Where a head's answers are.

    `outputs` are what the original gives, `order` the labels in the same order (of columns, where there is
    one output), `yes` the column of each pair that is the label's own. `keys` are a dictionary's, in the
    order of `order`.
    """

    form: Form
    outputs: list[str]
    order: list[str]
    yes: list[int]
    columns_from: From
    keys: list[Class] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    # An output of the head's own decisions, `(N, labels)` integers.
    table: str | None = None
    # Whether the answers are float64.
    double: bool = False


def published(labels: Sequence[str]) -> Layout:
    """Return the layout of the published format: one `(N, 2)` output a label, no and yes."""
    return Layout("pairs", list(labels), list(labels), [1] * len(labels), "names")


def check_known(path: Path, stated: Sequence[str], labels: Sequence[str]) -> None:
    """Check that a file states labels of the recipe's, each once.

    Raises:
        HeadError: a label is unknown or a duplicate; the message names the file and the label.
    """
    for label in stated:
        if stated.count(label) > 1:
            raise HeadError(f"{path}: duplicate label {label!r}")
        if label not in labels:
            raise HeadError(f"{path}: label {label!r} is unknown to the recipe")


def check_labels(path: Path, stated: Sequence[str], labels: Sequence[str]) -> None:
    """Check that a file states the recipe's labels, in any order.

    Raises:
        HeadError: a label is missing, unknown or a duplicate; the message names the file and the label.
    """
    check_known(path, stated, labels)
    for label in labels:
        if label not in stated:
            raise HeadError(f"{path}: label {label!r} of the recipe is missing")


def shown(values: Sequence[Class]) -> str:
    """Return labels or classes as a message has them."""
    return "[" + ", ".join(map(repr, values)) + "]"


def yes_of(found: Sequence[Class], label: str | None, labels: Sequence[str]) -> int | None:
    """Return which of a classifier's classes is its label's own, or None where that cannot be told.

    Args:
        label: the label, where its name is known; it may be one of the classes.
        labels: the recipe's.
    """
    if label is not None and label in found:
        return list(found).index(label)
    lowered = [str(value).lower() for value in found]
    if len(found) != 2 or set(lowered) not in _NO_AND_YES or set(labels) & {*map(str, found)}:
        return None
    return next(index for index, value in enumerate(lowered) if value in _YES)
