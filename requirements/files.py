"""List the files that pins stand for, with their sizes: `requirements/files.csv`. Standard library only.

A lock file has hashes alone. With the file behind each hash, what an installation downloads is known before
it begins, and for other systems and Pythons than those at hand.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

LISTING = Path(__file__).with_name("files.csv")
_COLUMNS = ("sha256", "bytes", "name")
# Sources, and wheels of the systems that a build runs on.
_KEPT = re.compile(r"\.tar\.gz$|\.zip$|-any\.whl$|(linux|macosx)\w+_(x86_64|aarch64|arm64|universal2)\.whl$")


@dataclass(frozen=True)
class File:
    """A wheel, or a package's source."""

    sha256: str
    size_bytes: int
    name: str


def write(listed: Iterable[File], path: Path = LISTING) -> None:
    """Write the files that Linux and macOS may take, each once, by name."""
    kept = {file.sha256: file for file in listed if _KEPT.search(file.name)}
    with path.open("w", encoding="ascii", newline="") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(_COLUMNS)
        rows.writerows(astuple(file) for file in sorted(kept.values(), key=lambda file: file.name.lower()))


def read(path: Path = LISTING) -> dict[str, File]:
    """Return the files by SHA-256."""
    with path.open(encoding="ascii", newline="") as rows:
        found = (File(row["sha256"], int(row["bytes"]), row["name"]) for row in csv.DictReader(rows))
        return {file.sha256: file for file in found}
