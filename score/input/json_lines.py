"""Read JSON Lines, one object a line.

Into JSON Lines the line itself travels to the output, byte for byte, and the answers are put in at its end.
Into CSV each field is the text it has in the file; into Parquet it has the type that all rows fit, or is
refused by line and name. Dates stay the strings they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from core.errors import ScoreError
from score.input.blocks import Block, blocks, whole_lines
from score.input.json_values import Repeated, Shape, decode, dump, plain_values
from score.input.texts import UnfitError

# The column of the lines themselves.
LINE = "\0line"
_ARRAY = "jq -c '.[]' IN.json > OUT.jsonl makes one"


class Row(NamedTuple):
    """An object, the line that holds it in valid UTF-8, its text, and whether that had bytes replaced."""

    number: int
    fields: dict[str, Any]
    line: bytes
    text: str | None
    replaced: bool


class Look(NamedTuple):
    """What reading a file to its end tells; `replaced` counts texts whose bytes are not UTF-8."""

    names: list[str]
    rows: int
    replaced: int


def _has_surrogates(value: str) -> bool:
    try:
        return not value.encode()
    except UnicodeEncodeError:
        return True


def _refused(where: str, line: bytes, reason: str) -> ScoreError:
    hint = f"a JSON array is no JSON Lines: {_ARRAY}" if line.startswith(b"[") else reason
    return ScoreError(f"{where}: found {line[:60]!r}, expected one object a line: {hint}")


def _row(path: Path, number: int, line: bytes, text_column: str) -> Row:
    where = f"{path}, line {number}"
    try:
        decoded, is_utf8 = line.decode(), True
    except UnicodeDecodeError:
        # Such bytes are half surrogates, as a half of a pair written with \\u is.
        decoded, is_utf8 = line.decode("utf-8", "surrogateescape"), False
    try:
        fields = decode(decoded)
    except (ValueError, RecursionError) as error:
        raise _refused(where, line, str(error)) from error
    if not isinstance(fields, dict):
        raise _refused(where, line, "it is another value")
    if isinstance(fields, Repeated) and text_column in fields.names:
        raise ScoreError(f"{where}, column {text_column!r}: found twice, expected once")
    text = fields.get(text_column)
    if text is not None and type(text) is not str:
        raise ScoreError(
            f"{where}, column {text_column!r}: found {dump(text)[:60]}, expected a string or null"
        )
    replaced = text is not None and not text.isascii() and _has_surrogates(text)
    if text is not None and replaced:
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if not is_utf8:
        others = {name: value for name, value in fields.items() if name != text_column}
        if _has_surrogates(dump(others)):
            raise ScoreError(f"{where}: found bytes beside the text that are not UTF-8")
        line = line.decode("utf-8", "replace").encode()
    return Row(number, fields, line, text, replaced)


def _rows(path: Path, block: Block, text_column: str) -> list[Row]:
    lines = enumerate(block.content.split(b"\n"), block.line)
    return [_row(path, number, line, text_column) for number, raw in lines if (line := raw.strip(b" \t\r"))]


class Survey:
    """What the lines of all files fit, as columns of the output's kind."""

    def __init__(self, text_column: str, into: str) -> None:
        """Expect lines whose text is in a column, for an output of a kind."""
        self._text_column, self._into, self._shape = text_column, into, Shape()
        self.names: list[str] = []

    def look(self, path: Path) -> Look:
        """Take a file into account.

        Raises:
            ScoreError: a line is no object, or holds what the output's kind cannot; the line is named.
        """
        names, rows, replaced = dict[str, None](), 0, 0
        for block in blocks(path, whole_lines):
            for row in _rows(path, block, self._text_column):
                rows += 1
                replaced += row.replaced
                names.update(dict.fromkeys(row.fields))
                if self._into != "jsonl":
                    self._see(path, row)
        self.names += [name for name in names if name not in self.names]
        return Look(list(names), rows, replaced)

    def _see(self, path: Path, row: Row) -> None:
        others = {name: value for name, value in row.fields.items() if name != self._text_column}
        try:
            if isinstance(row.fields, Repeated):
                raise UnfitError(f"found {', '.join(row.fields.names)} twice, expected once")
            self._shape.see(others, row.number, typed=self._into == "parquet")
        except UnfitError as error:
            raise ScoreError(f"{path}, line {row.number}: {error}; .jsonl output takes it") from error

    def _type(self, name: str) -> pa.DataType:
        if name == self._text_column or self._into == "csv":
            return pa.string()
        return self._shape.fields[name].type(name)

    def schema(self, path: Path) -> pa.Schema:
        """Return the columns of all files; an error names `path`.

        Raises:
            ScoreError: the output's kind has no type for one of them.
        """
        if self._into == "jsonl":
            return pa.schema([(self._text_column, pa.string()), (LINE, pa.large_binary())])
        try:
            return pa.schema([(name, self._type(name)) for name in self.names])
        except UnfitError as error:
            raise ScoreError(f"{path}: {error}; .jsonl output takes it") from error


def _column(rows: list[Row], field: pa.Field, text_column: str) -> pa.Array:
    if field.name == LINE:
        return pa.array([row.line for row in rows], field.type)
    if field.name == text_column:
        return pa.array([row.text for row in rows], field.type)
    values = (row.fields.get(field.name) for row in rows)
    if field.type == pa.string():
        return pa.array([value if value is None else dump(value, bare=True) for value in values], field.type)
    return pa.array(plain_values(values, field.type), field.type)


def tables(path: Path, schema: pa.Schema, text_column: str) -> Iterator[pa.Table]:
    """Yield the rows, a block of the file at a time; fields as the schema has them."""
    for block in blocks(path, whole_lines):
        rows = _rows(path, block, text_column)
        arrays = [_column(rows, field, text_column) for field in schema]
        yield pa.Table.from_arrays(arrays, schema=schema)
