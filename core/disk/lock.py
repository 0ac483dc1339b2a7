"""Keep a folder to one build at a time, whatever ends the one before."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from core.disk.files import remove_unfinished
from core.disk.ownership import claim
from core.errors import ArtifactError


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Hold the lock file `path`; yield whether another build was waited for, which is said.

    The kernel frees the lock when its holder ends, however it ends: a kill leaves none.

    Raises:
        ArtifactError: the lock cannot be made.
    """
    lock = FileLock(path, mode=0o666)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
            waited = False
        except Timeout:
            print(f"{path.parent}: another build is at work there; waiting for it", file=sys.stderr)
            lock.acquire()
            waited = True
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ArtifactError(f"{path}: cannot be written: {reason}") from error
    try:
        yield waited
    finally:
        lock.release()


@contextmanager
def build(folder: Path) -> Iterator[bool]:
    """Hold a build folder's lock, after removing what a killed build left unfinished in it.

    Raises:
        ArtifactError: the lock cannot be made, or the folder is none that a build made.
    """
    claim(folder)
    with held(folder / ".lock") as waited:
        removed = remove_unfinished(folder)
        if removed:
            print(f"{folder}: removed {removed} unfinished files of an interrupted build", file=sys.stderr)
        yield waited
