"""Tell a corpus from a changed one by its content, and notice a change while it is scored."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from core.errors import ScoreError
from core.untrusted.regular_file import naming

_Moment = tuple[int, ...]


def _look(path: Path) -> _Moment:
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _hash(path: Path) -> tuple[int, str]:
    # A device was refused by the survey; one of any size is a corpus.
    with path.open("rb") as file:
        return os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest()


class Inputs:
    """The files of a corpus as they are when this is made."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Hash them: 1 to 2 GB a second, where scoring takes hundreds of KB.

        Raises:
            ScoreError: one cannot be read.
        """
        self._seen: dict[Path, tuple[_Moment, tuple[int, str]]] = {}
        for path in paths:
            with naming(path, ScoreError, "cannot be read", OSError):
                self._seen[path] = _look(path), _hash(path)

    def identity(self) -> list[list[object]]:
        """Return each file's path, size and SHA-256; when it was written does not matter."""
        # A name need not be UTF-8.
        names = {path: os.fsencode(path.resolve()).decode("utf-8", "backslashreplace") for path in self._seen}
        return [[names[path], *content] for path, (_, content) in self._seen.items()]

    def check(self) -> None:
        """Check that the files are what they were; one that was touched since is hashed again.

        Raises:
            ScoreError: one is not.
        """
        for path, (moment, content) in self._seen.items():
            with naming(path, ScoreError, "cannot be read", OSError):
                now = _look(path)
                if now == moment:
                    continue
                found = _hash(path)
            if found != content:
                raise ScoreError(f"{path}: changed while it was scored; what was finished before is kept")
            self._seen[path] = now, content
