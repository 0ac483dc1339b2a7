"""Read a corpus in tables of bounded size: Parquet, CSV, JSON Lines, or lines of standard input.

Of CSV every column is text: what is read is what is written, leading zeros and all. An empty field without
quotes is null; `""` is the empty string.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv

from core.errors import ScoreError
from score.input import json_lines
from score.input.texts import clean

_ROWS = 512
# Columns of a row group are read through a buffer, not whole.
_BUFFER_BYTES = 1 << 20
# A row of CSV must fit into one block.
_CSV_BLOCK_BYTES = 16 << 20


class _Utf8(io.RawIOBase):
    """Read a file's bytes, those that are not UTF-8 replaced."""

    def __init__(self, path: Path) -> None:
        self._text = path.open(encoding="utf-8", errors="replace", newline="")

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        # A character is at most four bytes, and the caller's buffer is `size` long.
        return self._text.read(max(size // 4, 1) if size >= 0 else -1).encode()

    def close(self) -> None:
        self._text.close()
        super().close()


@contextmanager
def _open_csv(path: Path, names: list[str]) -> Iterator[csv.CSVStreamingReader]:
    convert = csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    reading = csv.ReadOptions(block_size=_CSV_BLOCK_BYTES, use_threads=False)
    parsing = csv.ParseOptions(newlines_in_values=True)
    with (
        pa.PythonFile(_Utf8(path), mode="r") as file,
        csv.open_csv(file, read_options=reading, parse_options=parsing, convert_options=convert) as reader,
    ):
        yield reader


def _csv_schema(path: Path) -> pa.Schema:
    with _open_csv(path, []) as reader:
        return pa.schema([(name, pa.string()) for name in reader.schema.names])


def _csv(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    with _open_csv(path, schema.names) as reader:
        for batch in reader:
            yield pa.Table.from_batches([batch])


def _parquet(path: Path, _: pa.Schema) -> Iterator[pa.Table]:
    with pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
        for batch in file.iter_batches(_ROWS, use_threads=False):
            yield pa.Table.from_batches([batch])


def _lines(_: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    while lines := list(islice(sys.stdin.buffer, _ROWS)):
        texts = [line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "replace") for line in lines]
        yield pa.table({schema.names[0]: pa.array(texts, pa.string())})


@contextmanager
def _errors(kind: str, path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise ScoreError(f"{path}: cannot be read as {kind}: {error}") from error


def look(kind: str, path: Path) -> tuple[pa.Schema, int]:
    """Return a file's schema and its number of rows; CSV and JSON Lines are read through for it.

    Raises:
        ScoreError: it cannot be read.
    """
    with _errors(kind, path):
        if kind == "csv":
            schema = _csv_schema(path)
            return schema, sum(map(len, _csv(path, schema)))
        if kind == "jsonl":
            return json_lines.look(path)
        metadata = pq.read_metadata(path)
        return metadata.schema.to_arrow_schema(), metadata.num_rows


def _conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        table.column(field.name).cast(field.type)
        if field.name in table.column_names
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


_TABLES = {"stdin": _lines, "csv": _csv, "jsonl": json_lines.tables, "parquet": _parquet}


def tables(kind: str, path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield a file's rows in order, in small tables of the given schema, its strings valid UTF-8.

    Raises:
        ScoreError: it cannot be read.
    """
    with _errors(kind, path):
        for table in _TABLES[kind](path, schema):
            yield _conform(clean(table), schema)
