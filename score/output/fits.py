"""Look for values of a Parquet input that the output cannot hold, before the first text is scored.

CSV and JSON Lines are read through by the survey, which looks for the same.
"""

from __future__ import annotations

from typing import NoReturn

import pyarrow as pa
import pyarrow.types as types

from core.errors import ScoreError
from score.input.corpus import Corpus, File
from score.input.files import Form
from score.input.read import parquet_file
from score.input.texts import UnfitError, bad_rows
from score.output import formats


def _may_fail(type_: pa.DataType, into: str) -> bool:
    """Whether a type has values that an output's kind lacks: all but numbers and truth for CSV."""
    number = types.is_integer(type_) or types.is_boolean(type_) or types.is_null(type_)
    safe = number or types.is_decimal(type_) or (into == "csv" and types.is_floating(type_))
    return into != "parquet" and not safe


def _refuse(file: File, table: pa.Table, before: int, into: Form) -> NoReturn:
    """Name the first row and column that cannot be written."""
    for name in table.column_names:
        column = table.select([name])
        for row in range(len(table)):
            try:
                formats.encode(into, column.slice(row, 1))
            except UnfitError as error:
                raise ScoreError(
                    f"{file.path}, row {before + row + 1}, column {name!r}: found {error}; "
                    f"{into.kind} output cannot hold it, .parquet can"
                ) from error
    raise AssertionError("a table failed, and none of its values")


def check(corpus: Corpus, into: Form) -> int:
    """Return how many texts of Parquet files hold bytes that are not UTF-8.

    Raises:
        ScoreError: a value cannot be written to an output of the form `into`, or not as the type that the
            files share; file, row and column are named.
    """
    return sum(_check(corpus, file, into) for file in corpus.files if corpus.kind == "parquet")


def _check(corpus: Corpus, file: File, into: Form) -> int:
    with parquet_file(file.path) as opened:
        own = opened.schema_arrow
    text = own.field(corpus.text_column) if corpus.text_column in own.names else None
    changed = (corpus.schema.field(field.name) for field in own if field != text)
    at_risk = [f for f in changed if _may_fail(f.type, into.kind) or f.type != own.field(f.name).type]
    before = replaced = 0
    for table in corpus.tables(file, pa.schema([*at_risk, *([text] if text else [])])):
        if text is not None and not types.is_null(text.type):
            replaced += len(bad_rows(table.column(text.name)))
        others = table.select([field.name for field in at_risk])
        try:
            formats.encode(into, others)
        except UnfitError:
            _refuse(file, others, before, into)
        before += len(table)
    return replaced
