"""Find the files that an INPUT names, and tell their form; hidden and unfinished copies are no input."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import NamedTuple

from core.errors import ScoreError

STDIN = "-"
_KINDS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".txt": "lines",
}
_GZIP = ".gz"
_TAB = ".tsv"
EXPECTED = "expected .parquet, .csv, .tsv, .jsonl, .ndjson, .json or .txt, those of text also with .gz behind"
# Spark, Hadoop and macOS hide what begins with these; Office's lock files begin with ~$.
_HIDDEN = (".", "_", "~")
# Where an interrupted run keeps its segments.
_SEGMENTS = ".parts"


class Form(NamedTuple):
    """How rows lie in a file: its `kind`, in CSV what is between two fields, and whether it is compressed."""

    kind: str
    delimiter: str = ","
    gzipped: bool = False


def is_gzipped(path: Path) -> bool:
    """Whether a file is compressed, by its name."""
    return path.suffix.lower() == _GZIP


def _ending(path: Path) -> str:
    return Path(path.stem if is_gzipped(path) else path.name).suffix.lower()


def _is_lines(path: Path) -> bool:
    return _KINDS.get(_ending(path)) == "lines"


def _is_known(path: Path) -> bool:
    return _ending(path) in _KINDS and not (is_gzipped(path) and _ending(path) == ".parquet")


def form(path: Path, delimiter: str) -> Form:
    """Return the form of a file by its ending; `delimiter` is that of CSV, which TSV has its own for.

    Raises:
        ScoreError: it is none of those that can be read and written.
    """
    if not _is_known(path):
        found = _ending(path) + path.suffix if is_gzipped(path) else path.suffix
        raise ScoreError(f"{path}: ending found {found!r}, {EXPECTED}")
    return Form(_KINDS[_ending(path)], "\t" if _ending(path) == _TAB else delimiter, is_gzipped(path))


def _is_hidden(name: str) -> bool:
    # Hive's folders of a partition, _column=value, hold rows as others do.
    return name.startswith(_HIDDEN) and "=" not in name


def _is_input(path: Path, folder: Path) -> bool:
    *folders, _ = parts = path.relative_to(folder).parts
    hidden = any(map(_is_hidden, parts)) or any(name.endswith(_SEGMENTS) for name in folders)
    return _is_known(path) and not hidden


def find(given: str) -> tuple[list[Path], int]:
    """Return the files of an INPUT in the order of their names, and how many beside them are none.

    A file that is named itself is taken, whatever its name; of a folder, lines of text only where there is no
    other kind: beside a table they are somebody's notes.

    Raises:
        ScoreError: nothing is there, or what is there cannot be read twice.
    """
    path = Path(given)
    if path.is_file():
        return [path], 0
    if path.is_dir():
        inside = [found for found in path.rglob("*") if not found.is_dir()]
        every = [found for found in inside if found.is_file() and _is_input(found, path)]
        paths = [found for found in every if not _is_lines(found)] or every
    elif path.exists():
        raise ScoreError(f"{given}: found a pipe or a device, expected a file, which is read twice, or -")
    else:
        # Path.glob takes no absolute pattern.
        names = map(Path, glob.glob(given, recursive=True))  # noqa: PTH207
        inside = [found for found in names if not found.is_dir()]
        asked = _is_hidden(Path(given).name)
        paths = [found for found in inside if found.is_file() and (asked or not _is_hidden(found.name))]
    if not paths:
        beside = f" but {len(inside)} hidden, unfinished or of other kinds" if inside else ""
        raise ScoreError(f"{given}: no such file, folder or glob with files in it{beside}; {EXPECTED}")
    return sorted(paths), len(inside) - len(paths)
