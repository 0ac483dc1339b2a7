"""Write scored rows as Parquet, CSV or JSON Lines: a segment of the output, and many segments as one file."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as types
from pyarrow import csv

from core.errors import ScoreError
from score.input.texts import is_text, texts

# Row groups of the finished Parquet file, whichever comes first; windows are too small for many readers.
_GROUP_ROWS = 131_072
_GROUP_BYTES = 64 << 20


def _value(value: Any) -> Any:
    """Return a value of Parquet's that JSON lacks as a string: dates as ISO 8601, bytes as text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)


def _plain(column: pa.ChunkedArray) -> list[Any]:
    values: list[Any] = column.to_pylist()
    if types.is_float32(column.type):
        # The shortest number that reads back as the same float32.
        values = [None if text is None else float(text) for text in column.cast(pa.string()).to_pylist()]
    return values


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_value)


def _json_lines(table: pa.Table) -> bytes:
    try:
        columns = [_plain(column) for column in table.columns]
        rows = zip(*columns, strict=True)
        return "".join(_json(dict(zip(table.column_names, row, strict=True))) + "\n" for row in rows).encode()
    except ValueError as error:  # NaN and infinity; UnicodeError deep inside a nested column
        raise ScoreError(f"JSON Lines cannot hold a value of the input: {error}") from error


def _field(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """Return a column as CSV has it: lists and structures are JSON, bytes are text."""
    if types.is_nested(column.type):
        values = (None if value is None else _json(value) for value in column.to_pylist())
        return pa.array(values, pa.string())
    return texts(column) if is_text(column.type) else column


def _csv(table: pa.Table) -> bytes:
    """Return rows without a header."""
    buffer = io.BytesIO()
    try:
        plain = pa.Table.from_arrays([_field(column) for column in table.columns], names=table.column_names)
        csv.write_csv(plain, buffer, csv.WriteOptions(include_header=False))
    except (pa.ArrowException, ValueError) as error:
        raise ScoreError(f"CSV cannot hold a column of the input: {error}") from error
    return buffer.getvalue()


class SegmentWriter:
    """A segment of an output that is being written; text formats leave the header to the finished file."""

    def __init__(self, kind: str, path: Path, schema: pa.Schema) -> None:
        """Open the file."""
        self._encode = {"csv": _csv, "jsonl": _json_lines}.get(kind)
        self._file: Any = path.open("wb") if self._encode else pq.ParquetWriter(path, schema)

    def write(self, table: pa.Table) -> None:
        """Add one window."""
        if self._encode:
            self._file.write(self._encode(table))
        else:
            self._file.write_table(table, row_group_size=len(table))

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


def _groups(segments: Sequence[Path], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield row groups that depend on the windows alone, not on which segment holds them."""
    held: list[pa.Table] = []
    for path in segments:
        with pq.ParquetFile(path) as file:
            for index in range(file.num_row_groups):
                held.append(file.read_row_group(index))
                if sum(map(len, held)) >= _GROUP_ROWS or sum(table.nbytes for table in held) >= _GROUP_BYTES:
                    yield pa.concat_tables(held)
                    held = []
    yield pa.concat_tables(held) if held else schema.empty_table()


def join(kind: str, segments: Sequence[Path], target: Path, schema: pa.Schema) -> None:
    """Write segments, in their order, as one file."""
    if kind == "parquet":
        with pq.ParquetWriter(target, schema) as writer:
            for table in _groups(segments, schema):
                writer.write_table(table, row_group_size=max(len(table), 1))
        return
    with target.open("wb") as file:
        if kind == "csv":
            names = pa.table({name: pa.array([], pa.string()) for name in schema.names})
            csv.write_csv(names, file)
        for path in segments:
            with path.open("rb") as source:
                shutil.copyfileobj(source, file)
