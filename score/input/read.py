"""Read a corpus in tables of bounded size: Parquet, CSV, JSON Lines, or lines of standard input.

Every reader runs in the thread that asks for rows, and none is at work where nobody asks.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as types

from core.errors import ScoreError
from score.input import csv_records, json_lines
from score.input.texts import bad_rows, clean

_ROWS = 512
# Columns of a row group are read through a buffer, not whole.
_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True)
class Look:
    """What a file's look tells: its columns, those of the output's kind, and its rows.

    `replaced` counts the texts with bytes that are not UTF-8.
    """

    names: list[str]
    schema: pa.Schema
    rows: int
    replaced: int = 0


@contextmanager
def parquet_file(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file that Arrow reads itself, in the caller's thread."""
    with (
        # Arrow encodes only names that are UTF-8 itself.
        pa.OSFile(os.fsencode(path), "rb") as source,
        pq.ParquetFile(source, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file,
    ):
        yield file


@contextmanager
def errors(kind: str, path: Path) -> Iterator[None]:
    """Name the file in an error of Arrow's or the system's."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise ScoreError(f"{path}: cannot be read as {kind}: {error}") from error
    except RecursionError as error:
        raise ScoreError(f"{path}: found values nested too deeply to be read") from error


def _refuse_bytes(path: Path, table: pa.Table, before: int) -> None:
    for name, column in zip(table.column_names, table.columns, strict=True):
        for row in bad_rows(column)[:1]:
            raise ScoreError(
                f"{path}, row {before + row + 1}, column {name!r}: found bytes that are not UTF-8; "
                "iconv makes UTF-8 of a file in another encoding"
            )


def _look_csv(path: Path, text_column: str) -> Look:
    names, tables = csv_records.names_and_tables(path)
    rows = replaced = 0
    for table in tables:
        others = [name for name in dict.fromkeys(names) if name != text_column and names.count(name) == 1]
        _refuse_bytes(path, table.select(others), rows)
        if names.count(text_column) == 1:
            replaced += len(bad_rows(table.column(text_column)))
        rows += len(table)
    return Look(names, pa.schema([(name, pa.string()) for name in names]), rows, replaced)


def look(kind: str, paths: Sequence[Path], text_column: str, into: str) -> list[Look]:
    """Return what files of one kind hold; CSV and JSON Lines are read through for it.

    Raises:
        ScoreError: one cannot be read, or holds what an output of the kind `into` cannot.
    """
    survey = json_lines.Survey(text_column, into)
    looks: list[Look] = []
    lines: list[json_lines.Look] = []
    for path in paths:
        with errors(kind, path):
            if kind == "csv":
                looks.append(_look_csv(path, text_column))
            elif kind == "jsonl":
                lines.append(survey.look(path))
            else:
                with parquet_file(path) as file:
                    schema = file.schema_arrow
                    looks.append(Look(schema.names, schema, file.metadata.num_rows))
    if kind == "jsonl":
        schema = survey.schema(paths[0])
        return [Look(found.names, schema, found.rows, found.replaced) for found in lines]
    return looks


def _csv(path: Path, *_: object) -> Iterator[pa.Table]:
    yield from csv_records.names_and_tables(path)[1]


def _parquet(path: Path, schema: pa.Schema, _: str) -> Iterator[pa.Table]:
    with parquet_file(path) as file:
        wanted = [name for name in file.schema_arrow.names if schema.get_field_index(name) >= 0]
        # Of a name with a point, a structure's field may come along.
        every = len(wanted) == len(file.schema_arrow.names)
        for batch in file.iter_batches(_ROWS, columns=None if every else wanted, use_threads=False):
            yield pa.Table.from_batches([batch])


def _lines(_: Path, schema: pa.Schema, __: str) -> Iterator[pa.Table]:
    if sys.stdin is None:
        raise ScoreError("-: standard input is closed, expected one text a line")
    while lines := list(islice(sys.stdin.buffer, _ROWS)):
        texts = [line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "replace") for line in lines]
        yield pa.table({schema.names[0]: pa.array(texts, pa.string())})


def _cast(path: Path, name: str, column: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    """Return a column of another type, the same values; Arrow's cast rounds decimals in silence."""
    if column.type == type_:
        return column
    try:
        found = column.cast(type_)
        exact = not types.is_decimal(column.type) or found.cast(column.type).equals(column)
    except pa.ArrowException as error:
        raise ScoreError(
            f"{path}, column {name!r}: {column.type} does not become {type_}: {error}"
        ) from error
    if not exact:
        raise ScoreError(f"{path}, column {name!r}: {column.type} is {type_} in other files, which rounds it")
    return found


def _conform(path: Path, table: pa.Table, schema: pa.Schema) -> pa.Table:
    places = {name: index for index, name in enumerate(table.column_names)}
    columns = [
        _cast(path, field.name, table.column(places[field.name]), field.type)
        if field.name in places
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


_TABLES: dict[str, Callable[[Path, pa.Schema, str], Iterator[pa.Table]]] = {
    "stdin": _lines,
    "csv": _csv,
    "jsonl": json_lines.tables,
    "parquet": _parquet,
}


def tables(kind: str, path: Path, schema: pa.Schema, text_column: str) -> Iterator[pa.Table]:
    """Yield a file's rows in order, in small tables of the given schema; strings of its text are UTF-8.

    Raises:
        ScoreError: it cannot be read.
    """
    with errors(kind, path):
        for table in _TABLES[kind](path, schema, text_column):
            if text_column in schema.names:
                table = clean(table, schema.field(text_column))
            yield _conform(path, table, schema)
