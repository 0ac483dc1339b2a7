"""Find the files that an INPUT names, check that they fit together, and cut them into windows of rows.

A window is what is sorted by length, where duplicate texts are found, and what a kill costs: it is done whole
or not at all. Its rows depend on the rows of its file alone, never on how they were read or how long they
took: a resumed run has the windows, and so the batches and the last bit, of one that was not interrupted.
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
from score.input.files import STDIN, Form, find, form
from score.input.lines import StandardInput
from score.input.texts import is_binary, is_string, is_text

# What a window may hold, whichever is full first: rows, bytes (what memory holds, several times), and tokens,
# which are time. Those of a text are estimated from its bytes: two a token, where English has four to five,
# Chinese three and nothing but punctuation one; no encoder here reads more than so many of a text.
WINDOW_ROWS = 8192
WINDOW_BYTES = 8 << 20
WINDOW_TOKENS = 16_384
_BYTES_A_TOKEN = 2
_MOST_TOKENS = 512
# The first and the last token of any text.
_FEWEST_TOKENS = 2


def _lengths(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return the bytes of a column's strings or binaries, int64 `[rows]`; 0 of anything else."""
    if types.is_dictionary(column.type):
        column = column.combine_chunks().dictionary_decode()
    if types.is_string_view(column.type) or types.is_binary_view(column.type):
        column = column.cast(pa.large_binary())
    if not (is_string(column.type) or is_binary(column.type)):
        return np.zeros(len(column), np.int64)
    found: NDArray[np.int64] = pc.fill_null(pc.binary_length(column), 0).to_numpy().astype(np.int64)
    return found


def _costs(table: pa.Table, text_column: str) -> NDArray[np.int64]:
    """Return what each row takes of a window's rows, bytes and tokens, int64 `[3, rows]`."""
    row_bytes = sum((_lengths(column) for column in table.columns), np.zeros(len(table), np.int64))
    tokens = _lengths(table.column(text_column)) // _BYTES_A_TOKEN + _FEWEST_TOKENS
    return np.stack([np.ones(len(table), np.int64), row_bytes, np.minimum(tokens, _MOST_TOKENS)])


def _window_rows(costs: NDArray[np.int64]) -> int | None:
    """Return how many rows make the first window; None where more rows are needed to tell."""
    limits = (WINDOW_ROWS, WINDOW_BYTES, WINDOW_TOKENS)
    spent = zip(np.cumsum(costs, axis=1), limits, strict=True)
    size = min(int(np.searchsorted(so_far, limit, side="left")) + 1 for so_far, limit in spent)
    return size if size <= costs.shape[1] else None


def windows(tables: Iterator[pa.Table], skip: int, text_column: str) -> Iterator[pa.Table]:
    """Cut tables into windows; the row that fills one is its last.

    Raises:
        ScoreError: there are fewer than `skip` rows.
    """
    held: list[pa.Table] = []
    costs = np.zeros((3, 0), np.int64)
    for table in tables:
        skipped = min(skip, len(table))
        skip -= skipped
        table = table.slice(skipped)
        if not len(table):
            continue
        held.append(table)
        costs = np.concatenate([costs, _costs(table, text_column)], axis=1)
        while (size := _window_rows(costs)) is not None:
            whole = pa.concat_tables(held)
            yield whole.slice(0, size).combine_chunks()
            held, costs = [whole.slice(size)], costs[:, size:]
    if skip:
        raise ScoreError(f"input changed while it was read: {skip} rows that were scored are not there")
    if costs.size:
        yield pa.concat_tables(held).combine_chunks()


@dataclass(frozen=True)
class File:
    """One input file and the number of its rows; None where only reading it to the end can tell."""

    path: Path
    rows: int | None


@dataclass(frozen=True)
class Corpus:
    """Files of one form, in the order of their names, and the schema they share; or standard input.

    `names` are all columns and keys that it has, which the schema may hold as one; `skipped` counts files
    beside them that are no input, `replaced` texts that had bytes which are not UTF-8.
    """

    form: Form
    files: tuple[File, ...]
    schema: pa.Schema
    text_column: str
    names: frozenset[str]
    skipped: int = 0
    replaced: int = 0
    standard_input: StandardInput | None = None

    @property
    def kind(self) -> str:
        """The kind of its files."""
        return self.form.kind

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
        return windows(self.tables(file, self.schema), skip, self.text_column)

    def tables(self, file: File, schema: pa.Schema) -> Iterator[pa.Table]:
        """Yield one file's rows in small tables, of the columns of a schema."""
        if self.standard_input is not None:
            return self.standard_input.tables(schema)
        return read.tables(self.form, file.path, schema, self.text_column)

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


def survey(given: str, text_column: str, into: str, delimiter: str = ",") -> Corpus:
    """Look at every input file once, so that a damaged one is reported before anything is scored.

    Args:
        given: a file, a folder, a glob, or `-`.
        text_column: the name of the column of texts.
        into: the kind of the output; what it cannot hold of CSV or JSON Lines is an error.
        delimiter: what is between two fields of CSV.

    Raises:
        ScoreError: nothing is found, kinds are mixed, a file cannot be read, or the text column is missing
            or not text.
    """
    if given == STDIN:
        lines = pa.schema([(text_column, pa.string())])
        only, names = (File(Path(STDIN), None),), frozenset({text_column})
        return Corpus(Form("lines"), only, lines, text_column, names, standard_input=StandardInput())
    paths, skipped = find(given)
    # Of one kind some may be compressed and others not.
    forms = {form(path, delimiter)._replace(gzipped=False): path for path in paths}
    if len(forms) > 1:
        both = ", ".join(str(path) for path in forms.values())
        raise ScoreError(f"{given}: files of several kinds found ({both}), expected one")
    (only_form,) = forms
    schema: pa.Schema | None = None
    looks = read.look(only_form, paths, text_column, into)
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
    known = frozenset[str]().union([text_column], *(look.names for look in looks))
    replaced = sum(look.replaced for look in looks)
    return Corpus(only_form, files, schema, text_column, known, skipped, replaced)
