"""Read a corpus in tables of bounded size: Parquet, CSV, TSV, JSON Lines, or lines of text.

Every reader runs in the thread that asks for rows, and none is at work where nobody asks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as types

from core.errors import ScoreError
from score.input import csv_records, json_lines, lines
from score.input.files import Form
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


def _look_csv(path: Path, delimiter: str, text_column: str) -> Look:
    names, tables = csv_records.names_and_tables(path, delimiter)
    rows = replaced = 0
    for table in tables:
        others = [name for name in dict.fromkeys(names) if name != text_column and names.count(name) == 1]
        _refuse_bytes(path, table.select(others), rows)
        if names.count(text_column) == 1:
            replaced += len(bad_rows(table.column(text_column)))
        rows += len(table)
    return Look(names, pa.schema([(name, pa.string()) for name in names]), rows, replaced)


def _look(form: Form, path: Path, text_column: str) -> Look:
    if form.kind == "csv":
        return _look_csv(path, form.delimiter, text_column)
    if form.kind == "lines":
        rows, replaced = lines.look(path)
        return Look([text_column], pa.schema([(text_column, pa.string())]), rows, replaced)
    with parquet_file(path) as file:
        schema = file.schema_arrow
        return Look(schema.names, schema, file.metadata.num_rows)


def look(form: Form, paths: Sequence[Path], text_column: str, into: str) -> list[Look]:
    """Return what files of one form hold; all but Parquet are read through for it.

    Raises:
        ScoreError: one cannot be read, or holds what an output of the kind `into` cannot.
    """
    survey = json_lines.Survey(text_column, into)
    looks: list[Look] = []
    objects: list[json_lines.Look] = []
    for path in paths:
        with errors(form.kind, path):
            if form.kind == "jsonl":
                objects.append(survey.look(path))
            else:
                looks.append(_look(form, path, text_column))
    if form.kind == "jsonl":
        schema = survey.schema(paths[0])
        return [Look(found.names, schema, found.rows, found.replaced) for found in objects]
    return looks


def _parquet(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    with parquet_file(path) as file:
        wanted = [name for name in file.schema_arrow.names if schema.get_field_index(name) >= 0]
        # Of a name with a point, a structure's field may come along.
        every = len(wanted) == len(file.schema_arrow.names)
        for batch in file.iter_batches(_ROWS, columns=None if every else wanted, use_threads=False):
            yield pa.Table.from_batches([batch])


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


def _tables(form: Form, path: Path, schema: pa.Schema, text_column: str) -> Iterator[pa.Table]:
    if form.kind == "csv":
        return csv_records.names_and_tables(path, form.delimiter)[1]
    if form.kind == "jsonl":
        return json_lines.tables(path, schema, text_column)
    return lines.tables(path, schema) if form.kind == "lines" else _parquet(path, schema)


def tables(form: Form, path: Path, schema: pa.Schema, text_column: str) -> Iterator[pa.Table]:
    """Yield a file's rows in order, in small tables of the given schema; strings of its text are UTF-8.

    Raises:
        ScoreError: it cannot be read.
    """
    with errors(form.kind, path):
        for table in _tables(form, path, schema, text_column):
            if text_column in schema.names:
                table = clean(table, schema.field(text_column))
            yield _conform(path, table, schema)
