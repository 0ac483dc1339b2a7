"""Find the files that an INPUT names, check that they fit together, and cut them into windows of rows.

A window is what is sorted by length, and where duplicate texts are found. Its rows depend on the rows of its
file alone, never on how they were read: a resumed run has the windows, and so the batches and the last bit,
of one that was not interrupted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as types
from numpy.typing import NDArray

from core.errors import ScoreError
from score.input import read
from score.input.files import find, kind
from score.input.texts import is_binary, is_string, is_text
from score.options import STDIN

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
        if is_string(column.type) or is_binary(column.type):
            total += pc.fill_null(pc.binary_length(column), 0).to_numpy().astype(np.int64)
    return total


def _window_rows(row_bytes: NDArray[np.int64]) -> int | None:
    """Return how many rows make the first window; None where more rows are needed to tell."""
    over = int(np.searchsorted(np.cumsum(row_bytes), WINDOW_BYTES, side="left")) + 1
    size = min(over, WINDOW_ROWS)
    return size if size <= len(row_bytes) else None


def windows(tables: Iterator[pa.Table], skip: int) -> Iterator[pa.Table]:
    """Cut tables into windows of up to `WINDOW_ROWS` rows, cut short by the row that fills `WINDOW_BYTES`.

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
        while (size := _window_rows(row_bytes)) is not None:
            whole = pa.concat_tables(held)
            yield whole.slice(0, size).combine_chunks()
            held, row_bytes = [whole.slice(size)], row_bytes[size:]
    if skip:
        raise ScoreError(f"input changed while it was read: {skip} rows that were scored are not there")
    if len(row_bytes):
        yield pa.concat_tables(held).combine_chunks()


@dataclass(frozen=True)
class File:
    """One input file and the number of its rows; None where only reading it to the end can tell."""

    path: Path
    rows: int | None


@dataclass(frozen=True)
class Corpus:
    """Files of one kind, in the order of their names, and the schema they share.

    `names` are all columns and keys that it has, which the schema may hold as one; `skipped` counts files
    beside them that are no input, `replaced` texts that had bytes which are not UTF-8.
    """

    kind: str
    files: tuple[File, ...]
    schema: pa.Schema
    text_column: str
    names: frozenset[str]
    skipped: int = 0
    replaced: int = 0

    @property
    def rows(self) -> int | None:
        """The rows of all files; None for standard input."""
        counts = [file.rows for file in self.files]
        return None if None in counts else sum(count for count in counts if count is not None)

    def pending(self, skip: int) -> Iterator[tuple[File, int]]:
        """Yield the files of which rows are left after the first `skip` of all, with what to skip in each."""
        for file in self.files:
            done = min(skip, file.rows) if file.rows is not None else 0
            skip -= done
            if file.rows is None or done < file.rows:
                yield file, done

    def file_windows(self, file: File, skip: int) -> Iterator[pa.Table]:
        """Yield one file's windows after its first `skip` rows, which end at a window's end."""
        return windows(self.tables(file, self.schema), skip)

    def tables(self, file: File, schema: pa.Schema) -> Iterator[pa.Table]:
        """Yield one file's rows in small tables, of the columns of a schema."""
        return read.tables(self.kind, file.path, schema, self.text_column)

    def windows(self, skip: int = 0) -> Iterator[pa.Table]:
        """Yield every window after the first `skip` rows; no window spans two files."""
        for file, done in self.pending(skip):
            yield from self.file_windows(file, done)


def _unify(path: Path, ours: pa.Schema | None, theirs: pa.Schema) -> pa.Schema:
    names = Counter(theirs.names)
    if len(names) < len(theirs.names):
        duplicates = sorted(name for name, count in names.items() if count > 1)
        raise ScoreError(f"{path}: duplicate columns: {', '.join(map(repr, duplicates))}")
    if ours is None:
        return theirs
    try:
        return pa.unify_schemas([ours, theirs], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ScoreError(f"{path}: its columns do not fit those of the files before it: {error}") from error


def _text_field(given: str, field: pa.Field, into: str) -> pa.Field:
    if not is_text(field.type):
        raise ScoreError(f"{given}: column {field.name!r}: found {field.type}, expected string or binary")
    # Bytes stay what they are in Parquet alone.
    return field if into == "parquet" else field.with_type(pa.large_string())


def survey(given: str, text_column: str, into: str) -> Corpus:
    """Look at every input file once, so that a damaged one is reported before anything is scored.

    Args:
        given: a file, a folder, a glob, or `-`.
        text_column: the name of the column of texts.
        into: the kind of the output; what it cannot hold of CSV or JSON Lines is an error.

    Raises:
        ScoreError: nothing is found, kinds are mixed, a file cannot be read, or the text column is missing
            or not text.
    """
    if given == STDIN:
        lines = pa.schema([(text_column, pa.string())])
        return Corpus("stdin", (File(Path(STDIN), None),), lines, text_column, frozenset({text_column}))
    paths, skipped = find(given)
    kinds = {kind(path): path for path in paths}
    if len(kinds) > 1:
        both = ", ".join(str(path) for path in kinds.values())
        raise ScoreError(f"{given}: files of several kinds found ({both}), expected one")
    (only_kind,) = kinds
    schema: pa.Schema | None = None
    looks = read.look(only_kind, paths, text_column, into)
    for path, look in zip(paths, looks, strict=True):
        # An empty JSON Lines file has no columns to miss.
        if look.rows and text_column not in look.names:
            columns = ", ".join(look.names)
            raise ScoreError(f"{path}: no column {text_column!r}, found {columns}; see --text-column")
        schema = _unify(path, schema, look.schema)
    assert schema is not None
    if text_column not in schema.names:
        schema = schema.append(pa.field(text_column, pa.string()))
    index = schema.get_field_index(text_column)
    schema = schema.set(index, _text_field(given, schema.field(index), into))
    files = tuple(File(path, look.rows) for path, look in zip(paths, looks, strict=True))
    names = frozenset[str]().union([text_column], *(look.names for look in looks))
    replaced = sum(look.replaced for look in looks)
    return Corpus(only_kind, files, schema, text_column, names, skipped, replaced)
