"""Cutting a file into windows: what is sorted by length, and where duplicates are found.

A window's rows depend on the rows of its file alone, never on how they were read: a resumed run has the
windows, and so the batches and the last bit, of one that was not interrupted.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as types
from numpy.typing import NDArray

from core.errors import ScoreError

# A wide window sorts and repeats well; what it holds is what memory holds, several times.
WINDOW_ROWS = 8192
WINDOW_BYTES = 8 << 20


def _row_bytes(table: pa.Table) -> NDArray[np.int64]:
    """Return the bytes of each row's strings and binaries, int64 `[rows]`."""
    total = np.zeros(len(table), np.int64)
    for column in table.columns:
        if types.is_dictionary(column.type):
            column = column.combine_chunks().dictionary_decode()
        if types.is_string_view(column.type) or types.is_binary_view(column.type):
            column = column.cast(pa.large_binary())
        if any(
            test(column.type)
            for test in (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
        ):
            total += pc.fill_null(pc.binary_length(column), 0).to_numpy().astype(np.int64)
    return total


def _full(row_bytes: NDArray[np.int64]) -> int | None:
    """Return how many rows make the first window; None where more rows are needed to tell."""
    over = int(np.searchsorted(np.cumsum(row_bytes), WINDOW_BYTES, side="left")) + 1
    size = min(over, WINDOW_ROWS)
    return size if size <= len(row_bytes) else None


def windows(tables: Iterator[pa.Table], skip: int) -> Iterator[pa.Table]:
    """Yield windows of up to `WINDOW_ROWS` rows, cut short by the row that fills `WINDOW_BYTES`.

    Raises:
        ScoreError: there are fewer than `skip` rows.
    """
    held: list[pa.Table] = []
    row_bytes = np.zeros(0, np.int64)
    for table in tables:
        skipped = min(skip, len(table))
        skip -= skipped
        table = table.slice(skipped)
        if not len(table):
            continue
        held.append(table)
        row_bytes = np.concatenate([row_bytes, _row_bytes(table)])
        while (size := _full(row_bytes)) is not None:
            whole = pa.concat_tables(held)
            yield whole.slice(0, size).combine_chunks()
            held, row_bytes = [whole.slice(size)], row_bytes[size:]
    if skip:
        raise ScoreError(f"input changed while it was read: {skip} rows that were scored are not there")
    if len(row_bytes):
        yield pa.concat_tables(held).combine_chunks()
