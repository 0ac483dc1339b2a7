"""`[data]`: where texts and their labels are, and how their files are to be read."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, model_validator

from core.tables import Label, Line, Sha256, Table

SplitName = Literal["train", "dev", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "dev", "test")
SUFFIXES = {".csv": ",", ".tsv": "\t", ".jsonl": "", ".ndjson": "", ".json": "", ".parquet": ""}

Place = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Column = Annotated[str, StringConstraints(min_length=1)] | Annotated[int, Field(ge=1)]
# What a cell of several labels is cut at.
Separator = Annotated[str, StringConstraints(min_length=1, max_length=8)]


class Other(Table):
    """`[[data.others]]`: what another model reaches on the test split, as published.

    `f1` is macro-F1 with the digits that it was published with; `thresholds` says how they were chosen.
    """

    model: Line
    f1: Annotated[str, StringConstraints(pattern=r"^0\.\d{1,4}$")]
    thresholds: Line
    size: Line | None = None


def is_url(place: str) -> bool:
    """Return whether a place is downloaded by its address."""
    return place.startswith(("https://", "http://"))


def suffix_of(place: str) -> str:
    """Return the ending of a place's file name, in lower case."""
    return PurePosixPath(urlsplit(place).path if is_url(place) else place).suffix.lower()


class DataTable(Table):
    """`[data]`: a path relative to the table's file, `hub:OWNER/NAME[@REVISION]/FILE`, or a URL, each split.

    With `file`, another TOML file holds all other keys. Columns are named by a header, or numbered from 1
    where there is none (`header = false`). `label_ids` names the labels of files that count them from 0.
    `folder_variable` is an environment variable whose folder holds the files under their own names.
    `description`, `license`, `others`, `limits` and `biases` are for card and report alone.
    """

    file: Place | None = None
    name: Line | None = None
    hub_id: Line | None = None
    hub_config: Line | None = None
    description: Line | None = None
    license: Line | None = None
    others: list[Other] = []
    limits: list[Line] = []
    biases: list[Line] = []
    train: Place | None = None
    dev: Place | None = None
    test: Place | None = None
    sha256: dict[SplitName, Sha256] = {}
    folder_variable: Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")] | None = None
    text_column: Column = "text"
    labels_column: Column = "labels"
    label_separator: Separator = "|"
    label_ids: list[Label] = []
    ignore_labels: list[Label] = []
    header: bool = True
    quotes: bool = True
    # Texts for parity in place of the general ones: of a file, or so many drawn from test.
    reference: Place | None = None
    reference_texts: Annotated[int, Field(ge=1, le=10_000)] | None = None
    reference_seed: Annotated[int, Field(ge=0)] = 0

    @property
    def title(self) -> str:
        """What messages, card and report call the data."""
        return self.name or "own data"

    @property
    def places(self) -> dict[SplitName, str]:
        """The stated splits."""
        return {split: place for split in SPLITS if (place := getattr(self, split)) is not None}

    @model_validator(mode="after")
    def _names_files(self) -> Self:
        if self.file is not None:
            if self.model_fields_set != {"file"}:
                raise ValueError("file: expected no other key beside it")
            return self
        if not self.places:
            raise ValueError("expected at least one of train, dev, test")
        for place in [*self.places.values(), *([self.reference] if self.reference else [])]:
            if suffix_of(place) not in SUFFIXES:
                raise ValueError(f"{place}: expected a file ending in {', '.join(SUFFIXES)}")
        for split, place in self.places.items():
            if is_url(place) and split not in self.sha256:
                raise ValueError(f"{place}: sha256 states none for {split}, which a download needs")
        unknown = sorted(set(self.sha256) - set(self.places))
        if unknown:
            raise ValueError(f"sha256: there is no {unknown[0]}")
        return self

    @model_validator(mode="after")
    def _names_columns(self) -> Self:
        expected = str if self.header else int
        for key in ("text_column", "labels_column"):
            if self.file is None and not isinstance(getattr(self, key), expected):
                kind = "the name of a column" if self.header else "its number from 1 (header is false)"
                raise ValueError(f"{key}: found {getattr(self, key)!r}, expected {kind}")
        if self.reference is not None and self.reference_texts is not None:
            raise ValueError("reference, reference_texts: expected one of them")
        if self.reference_texts is not None and self.test is None:
            raise ValueError("reference_texts: there is no test to draw from")
        if self.reference is not None and is_url(self.reference):
            raise ValueError("reference: expected a path or hub:OWNER/NAME/FILE")
        return self
