"""Read the splits of a recipe's data, each text with its labels."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from core import tables
from core.data import records
from core.data.place import Place, at_hand, locate
from core.data.table import DataTable, SplitName
from core.disk.files import sha256_file
from core.errors import DatasetError, RecipeError

# Words of a table for the model card: to change them makes no other data.
_WORDS = {"description", "license", "others", "limits", "biases"}
_COUNTS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}


class Split(NamedTuple):
    """Texts of one split and, for each, the names of its labels."""

    texts: list[str]
    labels: list[frozenset[str]]


def _shown(value: object) -> str:
    return repr(value) if len(repr(value)) <= 80 else repr(value)[:77] + "…"


class DataSet:
    """A recipe's data, read when asked for.

    Paths are relative to `folder`; downloads are kept in `cache`. Labels are checked against `labels`, the
    recipe's.
    """

    def __init__(self, table: DataTable, folder: Path, cache: Path, labels: Sequence[str]) -> None:
        """Read the file that holds the table, where it names one.

        Raises:
            RecipeError: that file cannot be read, or its table is wrong.
        """
        self.files: list[Path] = []
        if table.file is not None:
            file = folder / table.file
            if not file.is_file():
                raise RecipeError(f"data.file: {file}: no such file")
            self.files, folder, table = [file], file.parent, tables.read_table(DataTable, file)
            if table.file is not None:
                raise RecipeError(f"{file}: file: expected the data's own keys")
        self.table, self.labels = table, list(labels)
        self._folder, self._cache = folder, cache
        if table.label_ids:
            absent = [label for label in self.labels if label not in table.label_ids]
            if absent:
                raise DatasetError(f"labels.names: {table.title} has no label {', '.join(absent)}")

    @property
    def title(self) -> str:
        """What messages, card and report call the data."""
        return self.table.title

    def _place(self, split: SplitName) -> Place:
        stated = self.table.places.get(split)
        if stated is None:
            found = ", ".join(self.table.places)
            raise DatasetError(f"[data]: found {found}, expected {split}, which this needs")
        table = self.table
        return Place(stated, self._folder, self._cache, table.sha256.get(split), table.folder_variable)

    def at_hand(self, *splits: SplitName) -> bool:
        """Return whether splits are stated and can be read without a download."""
        return all(split in self.table.places and at_hand(self._place(split)) for split in splits)

    def paths(self, *splits: SplitName) -> list[Path]:
        """Return the files that the stated ones of some splits are read from, and the table's own."""
        stated = (self._place(split).path for split in splits if split in self.table.places)
        return [*self.files, *(path for path in stated if path is not None)]

    def digest(self, *splits: SplitName) -> str:
        """Return what tells the content of some splits from any other, and how they are read.

        Raises:
            DatasetError: one is not stated, or cannot be had.
        """
        hashes = [sha256_file(locate(self._place(split))) for split in splits]
        how = self.table.model_dump_json(exclude=_WORDS)
        return hashlib.sha256(" ".join([*hashes, how]).encode()).hexdigest()

    def read(self, split: SplitName) -> Split:
        """Read a split, in file order.

        Raises:
            DatasetError: it is not stated, cannot be had, or a row is wrong; the message names it.
        """
        path = locate(self._place(split))
        table, texts, labels = self.table, [], []
        wanted = {table.text_column, table.labels_column, *self.labels}
        by_label: bool | None = None
        for number, row in records.read(path, wanted, header=table.header, quotes=table.quotes):
            where = f"{path}: row {number}"
            texts.append(self._text(where, row))
            if by_label is None:
                by_label = self._has_a_column_a_label(path, row)
            labels.append(self._columns(where, row) if by_label else self._names(where, row))
        if not texts:
            raise DatasetError(f"{path}: found no row, expected texts")
        if not any(labels):
            raise DatasetError(f"{path}: column {table.labels_column!r}: found no label in any row")
        return Split(texts, labels)

    def reference(self) -> tuple[list[str], str] | None:
        """Return the texts that parity is to be measured on, and what they are; None where none are stated.

        Raises:
            DatasetError: they cannot be had.
        """
        table = self.table
        if table.reference is not None:
            path = locate(Place(table.reference, self._folder, self._cache))
            wanted = {table.text_column}
            rows = records.read(path, wanted, header=table.header, quotes=table.quotes)
            texts = [self._text(f"{path}: row {number}", row) for number, row in rows]
            if not texts:
                raise DatasetError(f"{path}: found no row, expected texts")
            return texts, f"texts of {path.name}"
        if table.reference_texts is None:
            return None
        texts = list(dict.fromkeys(self.read("test").texts))
        if len(texts) < table.reference_texts:
            expected = f"expected at least reference_texts, {table.reference_texts}"
            raise DatasetError(f"{self.paths('test')[-1]}: found {len(texts)} different texts, {expected}")
        drawn = random.Random(table.reference_seed).sample(texts, table.reference_texts)
        return drawn, f"texts drawn from the test split of {self.title} by seed {table.reference_seed}"

    def reference_files(self) -> list[Path]:
        """Return the files that `reference` reads."""
        if self.table.reference is not None:
            path = Place(self.table.reference, self._folder, self._cache).path
            return [*self.files, *([path] if path else [])]
        return self.paths("test") if self.table.reference_texts is not None else []

    def _text(self, where: str, row: Mapping[str | int, Any]) -> str:
        column = self.table.text_column
        if column not in row:
            raise DatasetError(f"{where}: has no column {column!r} (data.text_column)")
        text = row[column]
        if not isinstance(text, str):
            raise DatasetError(f"{where}: {column}: found {_shown(text)}, expected a text")
        if not text.strip():
            raise DatasetError(f"{where}: {column}: found an empty text")
        return text

    def _has_a_column_a_label(self, path: Path, row: Mapping[str | int, Any]) -> bool:
        column = self.table.labels_column
        if column in row:
            return False
        absent = [label for label in self.labels if label not in row]
        if absent:
            raise DatasetError(
                f"{path}: found no column {column!r} (data.labels_column), and none for label {absent[0]!r}"
            )
        return True

    def _columns(self, where: str, row: Mapping[str | int, Any]) -> frozenset[str]:
        given = set()
        for label in self.labels:
            value = row.get(label)
            said = _COUNTS.get(str(value).strip().lower()) if isinstance(value, str | int | float) else None
            if said is None:
                raise DatasetError(f"{where}: {label}: found {_shown(value)}, expected 0 or 1")
            if said:
                given.add(label)
        return frozenset(given)

    def _names(self, where: str, row: Mapping[str | int, Any]) -> frozenset[str]:
        column, separator = self.table.labels_column, self.table.label_separator
        value = row.get(column)
        is_cell = isinstance(value, str) or (type(value) is int and bool(self.table.label_ids))
        if not isinstance(value, list) and not is_cell:
            raise DatasetError(f"{where}: {column}: found {_shown(value)}, expected labels")
        parts: list[object] = value if isinstance(value, list) else [value]
        if isinstance(value, str) and value not in self.labels:
            parts = [part.strip() for part in value.split(separator)] if value.strip() else []
        names = [self._name(f"{where}: {column}", part, value) for part in parts]
        return frozenset(name for name in names if name in self.labels)

    def _name(self, where: str, part: object, value: object) -> str:
        ids = self.table.label_ids
        if ids and type(part) is int and 0 <= part < len(ids):
            name: object = ids[part]
        elif ids and isinstance(part, str) and part.isdecimal() and int(part) < len(ids):
            name = ids[int(part)]
        else:
            name = part
        # Those that ids count are known, though the recipe may take a part of them.
        if isinstance(name, str) and (
            name in self.labels or name in self.table.ignore_labels or (ids and name is not part)
        ):
            return name
        hint = ""
        if isinstance(value, str):
            hint = f"; labels are taken apart at {self.table.label_separator!r} (data.label_separator)"
        raise DatasetError(f"{where}: label {_shown(part)} is not one of the recipe's{hint}")


def check_positives(split: SplitName, labels: Sequence[str], given: Sequence[frozenset[str]]) -> None:
    """Refuse a split in which a label has no positive text.

    Raises:
        DatasetError: the message names the labels.
    """
    absent = sorted(set(labels).difference(*given))
    if absent:
        raise DatasetError(f"the {split} split has no text labelled {', '.join(absent)}")


def overlap(names: tuple[str, str], texts: tuple[Sequence[str], Sequence[str]]) -> str | None:
    """Return a sentence on texts that a split to measure on shares with one to choose on; None without any.

    Args:
        names: of the split to choose on, and of that to measure on.
        texts: of both.

    Raises:
        DatasetError: they share half of the latter or more: a figure on it would say nothing.
    """
    seen = set(texts[0])
    shared = [text for text in texts[1] if text in seen]
    if not shared:
        return None
    sentence = (
        f"{len(shared):,} of {len(texts[1]):,} texts of {names[1]} are in {names[0]} as well; "
        f"the first is {_shown(shared[0])}"
    )
    if 2 * len(shared) >= len(texts[1]):
        raise DatasetError(f"{sentence}; expected other texts, on which nothing was chosen")
    return sentence
