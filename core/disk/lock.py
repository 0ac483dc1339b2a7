"""`python -m core.disk.lock FILE COMMAND…`: run a command while nobody else does. Standard library only.

The kernel holds the lock for the open file, which the command and its children inherit: it is let go of
when the last of them is gone, however they end, and what a kill leaves is no lock.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.disk.files import remove_unfinished
from core.errors import ArtifactError, ToolchainError


def _same_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def acquire(path: Path) -> int:
    """Return an open file that holds the lock `path`; waits for another holder, and says so.

    Raises:
        ArtifactError: the lock cannot be made.
    """
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
        except OSError as error:
            raise ArtifactError(f"{path}: cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{path.parent}: another build is at work there; waiting for it", file=sys.stderr)
            fcntl.flock(handle, fcntl.LOCK_EX)
        # The one that was waited for may have removed the folder and the lock with it.
        if _same_file(handle, path):
            return handle
        os.close(handle)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock `path`.

    Raises:
        ArtifactError: the lock cannot be made.
    """
    handle = acquire(path)
    try:
        yield
    finally:
        os.close(handle)


def main(arguments: list[str]) -> int:
    """Take the lock, remove what a killed build left unfinished beside it, become the command."""
    if len(arguments) < 2:
        print("usage: python -m core.disk.lock FILE COMMAND...", file=sys.stderr)
        return 2
    path, command = Path(arguments[0]), arguments[1:]
    try:
        handle = acquire(path)
        left = remove_unfinished(path.parent)
        if left:
            print(f"{path.parent}: removed {left} unfinished files of an interrupted build", file=sys.stderr)
        os.set_inheritable(handle, True)
        os.execvp(command[0], command)
    except ToolchainError as error:
        print(f"error: {error}", file=sys.stderr)
    except OSError as error:
        print(f"error: {command[0]}: cannot be run: {error.strerror}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
