"""Hash files, and write them beside their place before moving them there. Standard library only."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import ArtifactError
from core.untrusted.regular_file import naming

# Ends the name of an unfinished file, so that the next build does not take it for a finished one.
UNFINISHED = ".tmp"
_CANNOT_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file as lower-case hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Flush a file's content, or a folder's list of names, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes `path`'s place, else it vanishes.

    Its content is on the disk before it has the name: a power cut leaves the old file or the new one.

    Raises:
        ArtifactError: the folder cannot be made or written, or the disk is full.
    """
    with naming(path, ArtifactError, "cannot be written", OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=UNFINISHED, dir=path.parent)
        os.close(handle)
        # mkstemp makes 0600; an artifact is for everyone the user's umask allows.
        umask = os.umask(0)
        os.umask(umask)
        temporary = Path(name)
        temporary.chmod(0o666 & ~umask)
    try:
        yield temporary
        with naming(path, ArtifactError, "cannot be written", OSError):
            sync(temporary)
            temporary.replace(path)
    except OSError as error:
        # Any other error is of what the caller reads, not of this file.
        if error.errno in _CANNOT_WRITE:
            raise ArtifactError(f"{path}: cannot be written: {error.strerror}") from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def remove_unfinished(folder: Path) -> int:
    """Remove what killed builds left half-written in a folder; return how many files.

    Only for the holder of the folder's lock: it would remove what a running build is writing.
    """
    paths = [path for path in folder.rglob(f".*{UNFINISHED}") if path.is_file()]
    for path in paths:
        path.unlink(missing_ok=True)
    return len(paths)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` as UTF-8 to `path`, whole or not at all."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, content: object) -> None:
    """Write `content` as indented JSON to `path`, whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
