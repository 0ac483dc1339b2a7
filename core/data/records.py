"""Read the rows of a data file, whatever its format: a number and the values of the columns asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from core.data.table import SUFFIXES, suffix_of
from core.errors import DatasetError
from core.untrusted import delimited_file, json_file, parquet_file, regular_file
from core.untrusted.limits import DATA_BYTES
from core.untrusted.regular_file import naming

# A row's number, from 1, a header not counted; and its values by column.
Record = tuple[int, dict[str | int, Any]]


def _delimited(path: Path, wanted: Collection[str | int], header: bool, quotes: bool) -> Iterator[Record]:
    rows = delimited_file.rows(path, SUFFIXES[suffix_of(path.name)], quotes, DatasetError)
    columns: list[str | int] | None = None
    if header:
        columns = [*next(rows, [])]
        twice = [name for name in columns if columns.count(name) > 1 and name in wanted]
        if twice:
            raise DatasetError(f"{path}: column {twice[0]!r} found twice")
    for number, row in enumerate(rows, start=1):
        columns = columns or [*range(1, len(row) + 1)]
        if len(row) != len(columns):
            raise DatasetError(f"{path}: row {number}: found {len(row)} fields, expected {len(columns)}")
        yield number, {name: value for name, value in zip(columns, row, strict=True) if name in wanted}


def _json_lines(path: Path, wanted: Collection[str | int]) -> Iterator[Record]:
    regular_file.check(path, DATA_BYTES, DatasetError)
    number = 0
    with naming(path, DatasetError, "cannot be read", OSError), path.open("rb") as file:
        for line in file:
            if not line.strip():
                continue
            number += 1
            row = json_file.loads(line, f"{path}: row {number}", DatasetError)
            if not isinstance(row, dict):
                kind = "an array" if isinstance(row, list) else type(row).__name__
                raise DatasetError(f"{path}: row {number}: found {kind}, expected one object a line")
            yield number, {name: value for name, value in row.items() if name in wanted}


def read(path: Path, wanted: Collection[str | int], *, header: bool, quotes: bool) -> Iterator[Record]:
    """Yield the rows of a CSV, TSV, JSON Lines or Parquet file, as the ending of its name says.

    Raises:
        DatasetError: it cannot be read as that; the message names the file and the row.
    """
    suffix = suffix_of(path.name)
    if suffix == ".parquet":
        names = [name for name in wanted if isinstance(name, str)]
        for number, row in enumerate(parquet_file.rows(path, names, DatasetError), start=1):
            yield number, dict(row)
    elif SUFFIXES.get(suffix):
        yield from _delimited(path, wanted, header, quotes)
    else:
        yield from _json_lines(path, wanted)
