"""Read lines of text, one text a line: files, and standard input, which is read but once."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa

from core.errors import ScoreError
from score.input.blocks import blocks, whole_lines

_LINES = 512


def _decoded(lines: Iterable[bytes]) -> tuple[list[str], int]:
    """Return the texts of lines without their ends, and how many had bytes that are not UTF-8."""
    texts, replaced = [], 0
    for line in lines:
        content = line.removesuffix(b"\n").removesuffix(b"\r")
        try:
            texts.append(content.decode())
        except UnicodeDecodeError:
            texts.append(content.decode("utf-8", "replace"))
            replaced += 1
    return texts, replaced


def _of_file(path: Path) -> Iterator[tuple[list[str], int]]:
    for block in blocks(path, whole_lines):
        # Not splitlines(), which splits at a carriage return alone, too.
        lines = block.content.split(b"\n")
        yield _decoded(lines[:-1] if block.content.endswith(b"\n") else lines)


def look(path: Path) -> tuple[int, int]:
    """Return how many lines a file has, and how many of them have bytes that are not UTF-8.

    Raises:
        ScoreError: it is UTF-16 by its mark, or a line is too long.
    """
    rows = replaced = 0
    for texts, bad in _of_file(path):
        rows, replaced = rows + len(texts), replaced + bad
    return rows, replaced


def tables(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield a file's rows, a block at a time; the schema has one column."""
    for texts, _ in _of_file(path):
        yield pa.table({schema.names[0]: pa.array(texts, pa.string())})


class StandardInput:
    """The lines of standard input; `replaced` counts those read with bytes that are not UTF-8."""

    def __init__(self) -> None:
        """Read nothing yet."""
        self.replaced = 0

    def tables(self, schema: pa.Schema) -> Iterator[pa.Table]:
        """Yield the rows that are left, a few at a time; the schema has one column.

        Raises:
            ScoreError: standard input is closed.
        """
        if sys.stdin is None:
            raise ScoreError("-: standard input is closed, expected one text a line")
        mark = codecs.BOM_UTF8
        while lines := list(islice(sys.stdin.buffer, _LINES)):
            lines[0], mark = lines[0].removeprefix(mark), b""
            texts, replaced = _decoded(lines)
            self.replaced += replaced
            yield pa.table({schema.names[0]: pa.array(texts, pa.string())})
