"""Which files an INPUT names, and what all of them hold together."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from core.errors import ScoreError
from score.input import read
from score.input.texts import is_text
from score.input.windows import windows
from score.options import STDIN

KINDS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
EXPECTED = "expected .parquet, .csv, .jsonl, .ndjson or .json"


def kind(path: Path) -> str:
    """Return the format of a file by its ending.

    Raises:
        ScoreError: it is none of those that can be read and written.
    """
    found = KINDS.get(path.suffix.lower())
    if found is None:
        raise ScoreError(f"{path}: ending found {path.suffix!r}, {EXPECTED}")
    return found


def _files(given: str) -> list[Path]:
    path = Path(given)
    if path.is_file():
        return [path]
    if path.is_dir():
        # Files such as _SUCCESS or .crc lie beside the parts of a data set.
        inside = (p for p in path.rglob("*") if p.is_file() and not p.name.startswith((".", "_")))
        return sorted(p for p in inside if p.suffix.lower() in KINDS)
    # Path.glob takes no absolute pattern.
    found = glob.glob(given, recursive=True)  # noqa: PTH207
    return sorted(Path(name) for name in found if Path(name).is_file())


@dataclass(frozen=True)
class File:
    """One input file and the number of its rows; None where only reading it to the end can tell."""

    path: Path
    rows: int | None


@dataclass(frozen=True)
class Source:
    """A corpus: its files, of one kind, in the order of their names, and the schema they share."""

    kind: str
    files: tuple[File, ...]
    schema: pa.Schema

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
        return windows(read.tables(self.kind, file.path, self.schema), skip)

    def windows(self, skip: int = 0) -> Iterator[pa.Table]:
        """Yield every window after the first `skip` rows; no window spans two files."""
        for file, done in self.pending(skip):
            yield from self.file_windows(file, done)

    def identity(self) -> list[list[object]]:
        """Return what tells this corpus from a changed one: each file's path, size and time."""
        stats = [(file.path, file.path.stat()) for file in self.files]
        return [[str(path.resolve()), stat.st_size, stat.st_mtime_ns] for path, stat in stats]


def _unify(path: Path, ours: pa.Schema | None, theirs: pa.Schema) -> pa.Schema:
    if len(set(theirs.names)) < len(theirs.names):
        twice = sorted({name for name in theirs.names if theirs.names.count(name) > 1})
        raise ScoreError(f"{path}: columns found twice: {', '.join(twice)}")
    if ours is None:
        return theirs
    try:
        return pa.unify_schemas([ours, theirs], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ScoreError(f"{path}: its columns do not fit those of the files before it: {error}") from error


def survey(given: str, text_column: str) -> Source:
    """Look at every input file once, so that damage is told before anything is scored.

    Raises:
        ScoreError: nothing is found, kinds are mixed, a file cannot be read, or the text column is missing
            or not text.
    """
    if given == STDIN:
        lines = pa.schema([(text_column, pa.string())])
        return Source("stdin", (File(Path(STDIN), None),), lines)
    paths = _files(given)
    if not paths:
        raise ScoreError(f"{given}: no such file, folder or glob with files in it; {EXPECTED}")
    kinds = {kind(path): path for path in paths}
    if len(kinds) > 1:
        both = ", ".join(str(path) for path in kinds.values())
        raise ScoreError(f"{given}: files of several kinds found ({both}), expected one")
    schema: pa.Schema | None = None
    files = []
    for path in paths:
        own, rows = read.look(next(iter(kinds)), path)
        # An empty JSON Lines file has no columns to miss.
        if rows and text_column not in own.names:
            columns = ", ".join(own.names)
            raise ScoreError(f"{path}: no column {text_column!r}, found {columns}; see --text-column")
        schema = _unify(path, schema, own)
        files.append(File(path, rows))
    assert schema is not None
    if text_column not in schema.names:
        schema = schema.append(pa.field(text_column, pa.string()))
    found = schema.field(text_column).type
    if not is_text(found):
        raise ScoreError(f"{given}: column {text_column!r}: found {found}, expected string or binary")
    return Source(next(iter(kinds)), tuple(files), schema)
