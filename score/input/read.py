"""Reading a corpus in tables of bounded size: Parquet, CSV, JSON Lines, or lines of standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import ScoreError
from score.input import csv_file, json_file
from score.input.texts import clean

_ROWS = 512
# Columns of a row group are read through a buffer, not whole.
_BUFFER_BYTES = 1 << 20


def _parquet(path: Path) -> Iterator[pa.Table]:
    with pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
        for batch in file.iter_batches(_ROWS, use_threads=False):
            yield pa.Table.from_batches([batch])


def _lines(name: str) -> Iterator[pa.Table]:
    stream = sys.stdin.buffer
    while lines := list(islice(stream, _ROWS)):
        texts = [line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "replace") for line in lines]
        yield pa.table({name: pa.array(texts, pa.string())})


def look(kind: str, path: Path) -> tuple[pa.Schema, int]:
    """Return a file's schema and its number of rows; CSV and JSON Lines are read through for it.

    Raises:
        ScoreError: it cannot be read.
    """
    try:
        if kind == "csv":
            return csv_file.look(path)
        if kind == "jsonl":
            return json_file.look(path)
        metadata = pq.read_metadata(path)
        return metadata.schema.to_arrow_schema(), metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise ScoreError(f"{path}: cannot be read as {kind}: {error}") from error


def _conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        table.column(field.name).cast(field.type)
        if field.name in table.column_names
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def tables(kind: str, path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield a file's rows in order, in small tables of the given schema, its strings valid UTF-8.

    Raises:
        ScoreError: it cannot be read.
    """
    try:
        if kind == "stdin":
            found = _lines(schema.names[0])
        elif kind == "csv":
            found = csv_file.tables(path)
        elif kind == "jsonl":
            found = json_file.tables(path, schema)
        else:
            found = _parquet(path)
        for table in found:
            yield _conform(clean(table), schema)
    except (pa.ArrowException, OSError) as error:
        raise ScoreError(f"{path}: cannot be read as {kind}: {error}") from error
