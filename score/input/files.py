"""Find the files that an INPUT names, and tell their kind; hidden and unfinished copies are no input."""

from __future__ import annotations

import glob
from pathlib import Path

from core.errors import ScoreError

KINDS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
EXPECTED = "expected .parquet, .csv, .jsonl, .ndjson or .json"
# Spark, Hadoop and macOS hide what begins with these; Office's lock files begin with ~$.
_HIDDEN = (".", "_", "~")
# Where an interrupted run keeps its segments.
_SEGMENTS = ".parts"


def kind(path: Path) -> str:
    """Return the format of a file by its ending.

    Raises:
        ScoreError: it is none of those that can be read and written.
    """
    if path.suffix.lower() not in KINDS:
        raise ScoreError(f"{path}: ending found {path.suffix!r}, {EXPECTED}")
    return KINDS[path.suffix.lower()]


def _is_hidden(name: str) -> bool:
    # Hive's folders of a partition, _column=value, hold rows as others do.
    return name.startswith(_HIDDEN) and "=" not in name


def _is_input(path: Path, folder: Path) -> bool:
    *folders, _ = parts = path.relative_to(folder).parts
    hidden = any(map(_is_hidden, parts)) or any(name.endswith(_SEGMENTS) for name in folders)
    return path.suffix.lower() in KINDS and not hidden


def find(given: str) -> tuple[list[Path], int]:
    """Return the files of an INPUT in the order of their names, and how many beside them are none.

    A file that is named itself is taken, whatever its name.

    Raises:
        ScoreError: nothing is there, or what is there cannot be read twice.
    """
    path = Path(given)
    if path.is_file():
        return [path], 0
    if path.is_dir():
        inside = [found for found in path.rglob("*") if not found.is_dir()]
        paths = [found for found in inside if found.is_file() and _is_input(found, path)]
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
