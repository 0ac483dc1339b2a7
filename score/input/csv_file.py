"""CSV, every column as text: what is read is what is written, leading zeros and all.

An empty field without quotes is null; `""` is the empty string.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

# A row must fit into one block.
_BLOCK_BYTES = 16 << 20


class _Utf8(io.RawIOBase):
    """A file's bytes, those that are not UTF-8 replaced."""

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
def _open(path: Path, names: list[str]) -> Iterator[csv.CSVStreamingReader]:
    convert = csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    reading = csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False)
    parsing = csv.ParseOptions(newlines_in_values=True)
    with (
        pa.PythonFile(_Utf8(path), mode="r") as file,
        csv.open_csv(file, read_options=reading, parse_options=parsing, convert_options=convert) as reader,
    ):
        yield reader


def _names(path: Path) -> list[str]:
    with _open(path, []) as reader:
        return list(reader.schema.names)


def look(path: Path) -> tuple[pa.Schema, int]:
    """Return the schema, all strings, and the number of rows."""
    names = _names(path)
    return pa.schema([(name, pa.string()) for name in names]), sum(len(table) for table in tables(path))


def tables(path: Path) -> Iterator[pa.Table]:
    """Yield the rows, a block of the file at a time."""
    with _open(path, _names(path)) as reader:
        for batch in reader:
            yield pa.Table.from_batches([batch])
