"""Hash files of a build again only where size, times or inode say that they may have changed.

`build/NAME/.hashes` keeps what was hashed. The kernel sets the change time (ctime), so that a file put in
place with an older time, or written over with the old one set back, is seen. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from core.disk.files import write_text
from core.errors import ArtifactError
from core.untrusted import json_file, limits, regular_file

HASHES = ".hashes"
# A file that changes twice within a tick of the clock has the times of the first change.
_SETTLED_NS = 2_000_000_000


def _status(path: Path) -> list[int] | None:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _hash(path: Path) -> str | None:
    try:
        return regular_file.sha256(path, limits.GRAPH_BYTES, ArtifactError)[0]
    except ArtifactError as error:
        # Whoever reads it will say so; here it is a state like another.
        return str(error)


class FileHashes:
    """The hashes of a build's inputs; `build` is its folder, which need not be there."""

    def __init__(self, build: Path) -> None:
        """Read what was kept; nothing where that is no more what this wrote."""
        self._path, self._changed = build / HASHES, False
        self._kept: dict[str, Any] = {}
        if self._path.is_file():
            try:
                self._kept = json_file.read_object(self._path, ArtifactError)
            except ArtifactError:
                self._changed = True

    def of(self, path: Path) -> str | None:
        """Return a file's SHA-256, or why it cannot be read; None where it is not there."""
        status = _status(path)
        if status is None:
            return None
        kept = self._kept.get(str(path))
        if isinstance(kept, list) and kept[1:] == status:
            return str(kept[0])
        found, now = _hash(path), time.time_ns()
        if _status(path) == status and max(status[3:]) < now - _SETTLED_NS:
            self._kept[str(path)], self._changed = [found, *status], True
        return found

    def save(self) -> None:
        """Keep them for the next time, where the build's folder is there."""
        if self._changed and self._path.parent.is_dir():
            write_text(self._path, json.dumps(self._kept, indent=1) + "\n")


def of_folders(folders: Iterable[Path]) -> str:
    """Return one SHA-256 of the names and contents of all files in some folders but compiled Python."""
    digest = hashlib.sha256()
    for folder in folders:
        for place, names, files in os.walk(folder):
            names[:] = sorted(name for name in names if name != "__pycache__")
            for file in sorted(files):
                path = Path(place, file)
                content = regular_file.sha256(path, limits.GRAPH_BYTES, ArtifactError)[0]
                digest.update(f"{path.relative_to(folder.parent).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()
