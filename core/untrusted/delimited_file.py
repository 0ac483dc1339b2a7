"""Read an untrusted CSV or TSV file, row by row. Standard library only."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from core.errors import ToolchainError
from core.untrusted import limits, regular_file
from core.untrusted.regular_file import naming


def _bare(file: TextIO, delimiter: str) -> Iterator[list[str]]:
    for line in file:
        yield line.removesuffix("\n").removesuffix("\r").split(delimiter)


def rows(path: Path, delimiter: str, quotes: bool, error: type[ToolchainError]) -> Iterator[list[str]]:
    """Yield the fields of each row, the header's first if there is one; empty lines are left out.

    With `quotes`, as RFC 4180 has it; without, a quote is a character as any other, and a row ends at a line
    feed alone.

    Raises:
        error: it cannot be read, is no UTF-8, or its quotes are wrong; the message names file and line.
    """
    regular_file.check(path, limits.DATA_BYTES, error)
    # RFC 4180's line breaks are the parser's affair; without quotes, texts may hold other line separators.
    with path.open(encoding="utf-8-sig", newline="" if quotes else "\n") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        found = reader if quotes else _bare(file, delimiter)
        with naming(path, error, "", UnicodeDecodeError, hint="; expected UTF-8"):
            try:
                yield from (row for row in found if row not in ([], [""]))
            except csv.Error as wrong:
                raise error(f"{path}: line {reader.line_num}: {wrong}") from wrong
