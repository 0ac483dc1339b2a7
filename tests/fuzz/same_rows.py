"""Compare the rows of our readers of CSV and JSON Lines with those of Python's csv and json.

Each input is read in blocks of a few bytes, where records are cut and joined most, and in one block.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.errors import ScoreError
from tests.fuzz.same import DifferenceError

_SMALL_BLOCK = 7
_TEXT = "text"
_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")

Rows = list[list[str]]


def _in_blocks(read: Callable[[], Any]) -> Any:
    """Return what is read in one block, having read it in small ones; a refusal counts as an outcome."""
    from score.input import blocks

    outcomes, usual = [], blocks.BLOCK_BYTES
    for size in (_SMALL_BLOCK, usual):
        blocks.BLOCK_BYTES = size
        try:
            outcomes.append(read())
        except ScoreError as error:
            outcomes.append(error)
        finally:
            blocks.BLOCK_BYTES = usual
    small, whole = outcomes
    # Of several faults, either may be found first.
    if isinstance(small, ScoreError) != isinstance(whole, ScoreError):
        raise DifferenceError(f"in blocks of {_SMALL_BLOCK} {small!s:.200}, in one {whole!s:.200}")
    if isinstance(whole, ScoreError):
        raise whole
    # NaN is NaN.
    if repr(small) != repr(whole):
        raise DifferenceError(f"in blocks of {_SMALL_BLOCK} {small!s:.200}, in one {whole!s:.200}")
    return whole


def _python_csv(content: bytes) -> Rows:
    """Return the rows as Python's csv has them, a character a byte, without the empty lines ahead."""
    text = content.removeprefix(codecs.BOM_UTF8).decode("latin-1").lstrip("\r\n")
    return list(csv.reader(io.StringIO(text, newline="")))


def _our_csv(path: Path) -> Rows:
    from score.input import csv_records

    names, tables = csv_records.names_and_tables(path)
    rows: Rows = [[name.encode().decode("latin-1") for name in names]]
    for table in tables:
        columns = [column.cast("large_binary").to_pylist() for column in table.columns]
        for row in zip(*columns, strict=True):
            rows.append([(value or b"").decode("latin-1") for value in row])
    return rows


def check_csv(path: Path) -> None:
    """Hold the records of a corpus to Python's csv, and a refusal to what is wrong with them.

    Raises:
        ScoreError: it is refused, and rightly.
        DifferenceError: other rows, or a refusal of rows that all have the header's fields.
    """
    content = path.read_bytes()
    refusal = None
    try:
        rows = _in_blocks(lambda: _our_csv(path))
    except ScoreError as error:
        refusal = error
    if content.startswith(_MARKS) and refusal:
        raise refusal
    header, *rest = _python_csv(content) or [[]]
    # An empty line is a row of one column, and none of more.
    rest = [row or [""] for row in rest if row or len(header) == 1]
    if refusal is None:
        if [header, *rest] != rows:
            raise DifferenceError(f"{rows!r:.300}, csv's {[header, *rest]!r:.300}")
        return
    if _is_sound(content, header, rest):
        raise DifferenceError(f"refused: {refusal}; csv has {[header, *rest]!r:.300}")
    raise refusal


def _is_sound(content: bytes, header: list[str], rest: Rows) -> bool:
    """Whether nothing is wrong with a corpus: UTF-8, no quote, a name a column, fields for each."""
    try:
        plain = b'"' not in content and bool(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return False
    return plain and header.count("") < 2 and all(len(row) == len(header) for row in rest)


def _objects(content: bytes) -> list[dict[str, Any]] | None:
    """Return the lines' objects as Python's json has them; None where one is none."""
    found = []
    try:
        for line in content.removeprefix(codecs.BOM_UTF8).split(b"\n"):
            if line.strip(b" \t\r"):
                found.append(json.loads(line.strip(b" \t\r").decode("utf-8", "surrogateescape")))
    except (ValueError, RecursionError):
        return None
    return found if all(isinstance(row, dict) for row in found) else None


def _our_json_lines(path: Path, into: str) -> list[dict[str, Any]]:
    from score.input import json_lines

    survey = json_lines.Survey(_TEXT, into)
    look = survey.look(path)
    schema = survey.schema(path)
    rows = [row for table in json_lines.tables(path, schema, _TEXT) for row in table.to_pylist()]
    # Without a column, which no run accepts, there is nothing to count.
    if len(rows) != look.rows and look.names:
        raise DifferenceError(f"{len(rows)} rows, {look.rows} by the look")
    return rows


def _same(ours: Any, theirs: Any) -> bool:
    """Whether a value of a column of one type is the one that the line has."""
    if isinstance(theirs, dict):
        given = ours or {}
        # A struct has the fields of all rows.
        return all(_same(given.get(name), theirs.get(name)) for name in {*given, *theirs})
    if isinstance(theirs, list):
        return isinstance(ours, list) and len(ours) == len(theirs) and all(map(_same, ours, theirs))
    if isinstance(theirs, int | float) and not isinstance(theirs, bool):
        return ours == theirs or (ours != ours and theirs != theirs)
    return bool(ours == theirs)


def check_json_lines(path: Path) -> None:
    """Hold rows into Parquet, CSV and JSON Lines to Python's json.

    Raises:
        ScoreError: it is refused for all three.
        DifferenceError: other rows, or a refusal of objects whose texts are texts.
    """
    content = path.read_bytes()
    theirs, refusals = _objects(content), {}
    if theirs and not any(theirs):
        return
    for into in ("jsonl", "csv", "parquet"):
        try:
            rows = _in_blocks(lambda into=into: _our_json_lines(path, into))
        except ScoreError as error:
            refusals[into] = error
            continue
        if theirs is None or len(theirs) != len(rows):
            raise DifferenceError(f"into {into}: {rows!r:.300}, json's {theirs!r:.300}")
        for ours, row in zip(rows, theirs, strict=True):
            _check_row(into, ours, row)
    if "jsonl" in refusals and theirs is not None and content.isascii():
        texts = [row.get(_TEXT) for row in theirs]
        if all(isinstance(text, str | None) for text in texts) and not _has_two_texts(content):
            raise DifferenceError(f"refused: {refusals['jsonl']}; json has {theirs!r:.300}")
    if len(refusals) == 3:
        raise refusals["jsonl"]


def _has_two_texts(content: bytes) -> bool:
    """Whether a line's object has two texts."""

    def texts(pairs: list[tuple[str, Any]]) -> int:
        return sum(name == _TEXT for name, _ in pairs)

    return any(json.loads(line, object_pairs_hook=texts) > 1 for line in content.split(b"\n") if line.strip())


def _check_row(into: str, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    text = theirs.get(_TEXT)
    if isinstance(text, str):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if ours.get(_TEXT) != text:
        raise DifferenceError(f"into {into}: text {ours.get(_TEXT)!r:.200}, json's {text!r:.200}")
    if into == "parquet":
        others = {name: value for name, value in theirs.items() if name != _TEXT}
        found = {name: value for name, value in ours.items() if name != _TEXT}
        if not _same(found, others):
            raise DifferenceError(f"into parquet: {found!r:.200}, json's {others!r:.200}")


def _is_cut_mark(content: bytes) -> bool:
    """Whether all there is is the beginning of a byte order mark, which a file of text reads as no text."""
    return codecs.BOM_UTF8.startswith(content)


def check_quoted(content: bytes, rows: Rows) -> None:
    """Hold rows with quotes to Python's csv over the whole text."""
    if _is_cut_mark(content):
        return
    text = content.decode("utf-8-sig")
    expected = [
        row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row not in ([], [""])
    ]
    if rows != expected:
        raise DifferenceError(f"{rows!r:.300}, csv's {expected!r:.300}")


def check_bare(content: bytes, rows: Rows) -> None:
    """Hold rows without quotes to the text's lines, cut at tabs."""
    if _is_cut_mark(content):
        return
    lines = content.decode("utf-8-sig").split("\n")
    expected = [row for line in lines if (row := line.removesuffix("\r").split("\t")) != [""]]
    if rows != expected:
        raise DifferenceError(f"{rows!r:.300}, the lines' {expected!r:.300}")
