"""Write scored rows as Parquet, CSV, TSV or JSON Lines: segments of an output, and these as one file."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as types
from pyarrow import csv

from score.input.files import Form
from score.input.json_lines import LINE
from score.input.read import parquet_file
from score.output.plain import dump, json_values, strings

# Row groups of the finished Parquet file, whichever comes first; windows are too small for many readers.
_GROUP_ROWS = 131_072
_GROUP_BYTES = 64 << 20


def _objects(table: pa.Table) -> list[dict[str, Any]]:
    columns = [[value for chunk in column.chunks for value in json_values(chunk)] for column in table.columns]
    names = table.column_names
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _with_answers(line: bytes, answers: bytes) -> bytes:
    """Return a line whose object has the answers' fields at its end; what it had is as it was."""
    before = line.rstrip()[:-1].rstrip()
    return before + (b"" if before == b"{" else b", ") + answers[1:]


def _json_lines(table: pa.Table) -> bytes:
    place = table.schema.get_field_index(LINE)
    # The text is in the line.
    answers = table if place < 0 else table.select(table.column_names[place + 1 :])
    rows = [dump(row).encode() for row in _objects(answers)]
    if place >= 0:
        lines = table.column(place).to_pylist()
        rows = [_with_answers(line, row) for line, row in zip(lines, rows, strict=True)]
    return b"".join(row + b"\n" for row in rows)


def _field(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if types.is_integer(column.type) or types.is_floating(column.type) or types.is_boolean(column.type):
        return column
    return pa.chunked_array([strings(chunk) for chunk in column.chunks], pa.large_string())


def _csv(table: pa.Table, delimiter: str) -> bytes:
    """Return rows without a header; a string is quoted, so that the empty one is not null."""
    buffer = io.BytesIO()
    plain = pa.Table.from_arrays([_field(column) for column in table.columns], names=table.column_names)
    csv.write_csv(plain, buffer, csv.WriteOptions(include_header=False, delimiter=delimiter))
    return buffer.getvalue()


def encode(form: Form, table: pa.Table) -> bytes:
    """Return rows as a segment of text has them; none of Parquet, which holds whatever Arrow does.

    Raises:
        UnfitError: the kind cannot hold a value of the table.
    """
    if form.kind == "parquet" or not table.num_columns:
        return b""
    return _csv(table, form.delimiter) if form.kind == "csv" else _json_lines(table)


def header(form: Form, schema: pa.Schema) -> bytes:
    """Return what a file of text begins with: the names of the columns in CSV, else nothing."""
    if form.kind != "csv":
        return b""
    buffer = io.BytesIO()
    names = pa.table({name: pa.array([], pa.string()) for name in schema.names})
    csv.write_csv(names, buffer, csv.WriteOptions(delimiter=form.delimiter))
    return buffer.getvalue()


class _Hashing(io.RawIOBase):
    """A file that is written from its beginning to its end, and hashed on the way."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self.digest, self.size = hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self.digest.update(content)
        self.size += memoryview(content).nbytes
        return self._file.write(content)

    def close(self) -> None:
        if not self._file.closed:
            try:
                self._file.flush()
                os.fsync(self._file.fileno())
            finally:
                self._file.close()
        super().close()


class SegmentWriter:
    """A segment of an output that is being written.

    Text formats leave the header, and that they are compressed, to the finished file.
    """

    def __init__(self, form: Form, path: Path, schema: pa.Schema) -> None:
        """Open the file."""
        self._form = form
        self._file = _Hashing(path)
        self._parquet = pq.ParquetWriter(self._file, schema) if form.kind == "parquet" else None

    def write(self, table: pa.Table) -> None:
        """Add one window."""
        if self._parquet:
            self._parquet.write_table(table, row_group_size=len(table))
        else:
            self._file.write(encode(self._form, table))

    def close(self) -> tuple[int, str]:
        """Finish the file; return its size in bytes and its SHA-256, which are on the disk."""
        try:
            if self._parquet:
                self._parquet.close()
        finally:
            self._file.close()
        return self._file.size, self._file.digest.hexdigest()


def _groups(segments: Sequence[Path], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield row groups that depend on the windows alone, not on which segment holds them."""
    held: list[pa.Table] = []
    for path in segments:
        with parquet_file(path) as file:
            for index in range(file.num_row_groups):
                held.append(file.read_row_group(index))
                if sum(map(len, held)) >= _GROUP_ROWS or sum(table.nbytes for table in held) >= _GROUP_BYTES:
                    yield pa.concat_tables(held)
                    held = []
    yield pa.concat_tables(held) if held else schema.empty_table()


@contextmanager
def _compressing(file: BinaryIO, gzipped: bool) -> Iterator[BinaryIO]:
    """Yield what to write a file's content to; compressed bytes are the same at any time."""
    if not gzipped:
        yield file
        return
    with pa.CompressedOutputStream(pa.PythonFile(file, "w"), "gzip") as stream:
        yield stream


def join(form: Form, segments: Sequence[Path], target: Path, schema: pa.Schema) -> None:
    """Write segments, in their order, as one file."""
    with target.open("wb") as file:
        if form.kind == "parquet":
            with pq.ParquetWriter(file, schema) as writer:
                for table in _groups(segments, schema):
                    writer.write_table(table, row_group_size=max(len(table), 1))
            return
        with _compressing(file, form.gzipped) as stream:
            stream.write(header(form, schema))
            for path in segments:
                with path.open("rb") as source:
                    shutil.copyfileobj(source, stream)
