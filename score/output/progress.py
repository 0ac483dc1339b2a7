"""Write and read `progress.json`: an interrupted run's job and finished segments, each with its hash."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from core.disk.files import write_json
from core.errors import ScoreError
from core.untrusted import json_file, regular_file
from core.untrusted.regular_file import FIELD_ERRORS, RefusedError, naming

PROGRESS_FILE = "progress.json"
_HINT = "; remove the folder to start again"
_SHA256 = re.compile("[0-9a-f]{64}")


class Segment(NamedTuple):
    """A finished segment: its name in the folder, its rows, its size in bytes and its SHA-256."""

    file: str
    rows: int
    size: int
    sha256: str

    def check(self, folder: Path) -> None:
        """Check that the file is the one that was finished.

        Raises:
            ScoreError: it is missing, no regular file, or has other bytes.
        """
        path = folder / self.file
        if path.is_symlink() or not path.exists():
            found = "is a link" if path.is_symlink() else "is missing"
            raise ScoreError(f"{path}: a finished segment {found}{_HINT}")
        sha256, size = regular_file.sha256(path, self.size, ScoreError)
        if (size, sha256) != (self.size, self.sha256):
            found = f"found {size:,} bytes of SHA-256 {sha256}, expected {self.size:,} of {self.sha256}"
            raise ScoreError(f"{path}: a finished segment changed: {found}{_HINT}")


def name_of(index: int, kind: str) -> str:
    """Return the file name of a segment by its place among them."""
    return f"part-{index:06}.{kind}"


def _digest(job: Any, parts: Any) -> str:
    return hashlib.sha256(json.dumps([job, parts], sort_keys=True).encode()).hexdigest()


def write(folder: Path, job: dict[str, Any], segments: list[Segment]) -> None:
    """Write what `read` reads back."""
    parts = [segment._asdict() for segment in segments]
    write_json(folder / PROGRESS_FILE, {"job": job, "parts": parts, "sha256": _digest(job, parts)})


def _segment(index: int, kind: str, row: dict[str, Any]) -> Segment:
    segment = Segment(**row)
    numbers = (segment.rows, segment.size)
    if segment.file != name_of(index, kind):
        raise RefusedError(f"file: found {segment.file!r}, expected {name_of(index, kind)!r}")
    if [type(number) for number in numbers] != [int, int] or min(numbers) < 1:
        raise RefusedError(f"{segment.file}: found {numbers} rows and bytes, expected some")
    if not isinstance(segment.sha256, str) or not _SHA256.fullmatch(segment.sha256):
        raise RefusedError(f"{segment.file}: found SHA-256 {segment.sha256!r}")
    return segment


def read(folder: Path, kind: str) -> tuple[dict[str, Any], list[Segment]]:
    """Read the job and the segments of an interrupted run, whose files are of a kind.

    Raises:
        ScoreError: it is not what `write` writes.
    """
    path = folder / PROGRESS_FILE
    content = json_file.read_object(path, ScoreError)
    with naming(path, ScoreError, "not the progress of a run", *FIELD_ERRORS, hint=_HINT):
        job, parts = content["job"], content["parts"]
        if content["sha256"] != _digest(job, parts):
            raise RefusedError("changed since it was written, or of an older version")
        if not isinstance(job, dict) or not isinstance(parts, list):
            raise RefusedError("expected a job and a list of parts")
        return job, [_segment(index, kind, row) for index, row in enumerate(parts)]


def difference(found: Any, expected: Any) -> str:
    """Say where two values of a job differ: of lists, their first rows that do."""
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for one, other in zip(found, expected, strict=True):
            if one != other:
                return f"found {one}, expected {other}"
    return f"found {found}, expected {expected}"
