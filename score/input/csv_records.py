"""Read CSV and TSV, every column as text: what is read is what is written, leading zeros and all.

An empty field without quotes is null; `""` is the empty string. An empty line is a row where there is one
column, whose field is null, and no row where there are more.
"""

from __future__ import annotations

import codecs
import csv as plain_csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import csv

from core.errors import ScoreError
from score.input.blocks import Block, blocks, line_ends

_EMPTY_LINES = re.compile(rb"[\r\n]*")


class Syntax:
    """Records and fields as patterns, for what is between two fields."""

    def __init__(self, delimiter: str) -> None:
        """Make the patterns for a character of ASCII that is no quote and ends no line."""
        self.delimiter = delimiter
        d = re.escape(delimiter.encode("ascii"))
        # A quote opens at a field's start alone; what follows its end is part of the field, as in Arrow and
        # Excel.
        field = rb'(?>"[^"]*+(?:""[^"]*+)*+"[^' + d + rb'\r\n]*+|[^"' + d + rb"\r\n][^" + d + rb"\r\n]*+|)"
        record = rb"(?>" + field + rb"(?:" + d + field + rb")*+"
        # What a carriage return at a block's end is followed by, only the next block tells.
        self._records = re.compile(rb"(?:" + record + rb"(?>\r\n|\n|\r(?=[\s\S]))))*+")
        self.one = re.compile(record + rb"(\r\n|\n|\r|\Z))")
        self.fields = re.compile(rb"(?:^|" + d + rb")" + field)

    def whole(self, content: bytes) -> int:
        """Return how many bytes of whole records some content begins with."""
        found = self._records.match(content)
        return found.end() if found else 0

    def records(self, block: Block) -> Iterator[tuple[int, bytes]]:
        """Yield each record's first line and its bytes, for errors: a record at a time is slow."""
        start, line = 0, block.line
        while start < len(block.content):
            found = self.one.match(block.content, start)
            if found is None:
                yield line, block.content[start:]
                return
            record = block.content[start : found.end()]
            yield line, record[: found.start(1) - start]
            line += line_ends(record)
            start = found.end()


def _check_end(path: Path, syntax: Syntax, block: Block) -> None:
    """Refuse a quote that is open where the file ends."""
    if block.last and syntax.whole(block.content + b"\n") <= len(block.content):
        *_, (line, last) = syntax.records(block)
        raise ScoreError(
            f"{path}, line {line}: found {last[:60]!r}, expected a quote at the end of the field"
        )


def _explained(
    path: Path, syntax: Syntax, names: list[str], block: Block, error: pa.ArrowInvalid
) -> ScoreError:
    for line, record in syntax.records(block):
        count = len(syntax.fields.findall(record))
        if record and count != len(names):
            return ScoreError(
                f"{path}, line {line}: found {count} fields, {record[:60]!r}, expected {len(names)}: "
                f"{', '.join(names)}"
            )
    return ScoreError(f"{path}, lines from {block.line}: cannot be read as csv: {error}")


def _header(path: Path, syntax: Syntax, block: Block) -> tuple[list[str], Block]:
    """Return the names of the columns, and what of the block comes after them."""
    skipped = _EMPTY_LINES.match(block.content)
    start = skipped.end() if skipped else 0
    found = syntax.one.match(block.content, start)
    record = block.content[start : found.end()] if found else b""
    try:
        text = io.StringIO(record.decode(), newline="")
    except UnicodeDecodeError as error:
        raise ScoreError(
            f"{path}: found bytes in the names of columns that are not UTF-8: {error}"
        ) from error
    # The limit is the process's.
    limit = plain_csv.field_size_limit(len(record) + 1)
    try:
        names = next(plain_csv.reader(text, delimiter=syntax.delimiter), [])
    finally:
        plain_csv.field_size_limit(limit)
    unnamed = [str(number) for number, name in enumerate(names, 1) if not name]
    if len(unnamed) > 1:
        raise ScoreError(f"{path}: columns {', '.join(unnamed)} of {len(names)}: no name found, expected one")
    end = start + len(record)
    line = block.line + line_ends(block.content[:end])
    return names, Block(line, block.content[end:], block.last)


def _parsed(path: Path, syntax: Syntax, names: list[str], block: Block) -> pa.Table:
    text = pa.string()
    convert = csv.ConvertOptions(
        # What is not UTF-8 is found by row and column, later.
        check_utf8=False,
        column_types=dict.fromkeys(names, text),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    content = block.content
    if not content.strip(b"\r\n" if len(names) > 1 else b""):
        return pa.schema([(name, text) for name in names]).empty_table()
    if not content.endswith((b"\r", b"\n")):
        # At the end of what it is given Arrow takes a last empty field behind one in quotes for quoted, too.
        content += b"\n"
    if content.startswith(codecs.BOM_UTF8):
        # Arrow takes one from any block's start; this one is text, the file's own is gone.
        content = codecs.BOM_UTF8 + content
    reading = csv.ReadOptions(block_size=len(content) + 1, use_threads=False, column_names=names)
    parsing = csv.ParseOptions(
        delimiter=syntax.delimiter, newlines_in_values=True, ignore_empty_lines=len(names) > 1
    )
    try:
        return csv.read_csv(pa.BufferReader(content), reading, parsing, convert)
    except pa.ArrowInvalid as error:
        raise _explained(path, syntax, names, block, error) from error


def names_and_tables(path: Path, delimiter: str = ",") -> tuple[list[str], Iterator[pa.Table]]:
    """Return the names of a file's columns and its rows, a block of the file at a time.

    Args:
        path: the file.
        delimiter: what is between two fields, a character of ASCII.

    Raises:
        ScoreError: the file has no header, or a row has other fields than it; the line is named.
    """
    syntax = Syntax(delimiter)
    found = blocks(path, syntax.whole)
    first = None
    for first in found:
        # A file may begin with more empty lines than a block has.
        if first.content.strip(b"\r\n"):
            break
    if first is None:
        raise ScoreError(f"{path}: cannot be read as csv: found no byte, expected the names of the columns")
    _check_end(path, syntax, first)
    names, rest = _header(path, syntax, first)

    def tables() -> Iterator[pa.Table]:
        if rest.content:
            yield _parsed(path, syntax, names, rest)
        for block in found:
            _check_end(path, syntax, block)
            yield _parsed(path, syntax, names, block)

    return names, tables()
