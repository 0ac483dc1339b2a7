"""Reading a stranger's file: a regular one, of at most so many bytes. Standard library only."""

from __future__ import annotations

import stat
from pathlib import Path

from core.errors import ToolchainError

# What archives begin with (.zip, .gz, .bz2, .xz, .zst, .7z, .rar, .lz4); .tar says so 257 bytes in.
_ARCHIVES = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ\x00",
    b"\x28\xb5\x2f\xfd",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
    b"\x04\x22\x4d\x18",
)
_TAR_PLACE, _TAR = 257, b"ustar"
_LONGEST = _TAR_PLACE + len(_TAR)


def check_size(path: Path, limit: int, error: type[ToolchainError]) -> int:
    """Return a file's size in bytes.

    Raises:
        error: there is none, it is no regular file (a pipe would wait forever), or it is larger than
            `limit` bytes.
    """
    try:
        found = path.stat()
    except (OSError, ValueError) as cause:
        raise error(f"{path}: cannot be read: {getattr(cause, 'strerror', None) or cause}") from cause
    if not stat.S_ISREG(found.st_mode):
        raise error(f"{path}: cannot be read: not a regular file")
    if found.st_size > limit:
        raise error(f"{path}: found {found.st_size:,} bytes, expected at most {limit:,}")
    return found.st_size


def is_archive(path: Path) -> bool:
    """Whether a file begins as an archive does."""
    with path.open("rb") as file:
        start = file.read(_LONGEST)
    return start.startswith(_ARCHIVES) or start[_TAR_PLACE:] == _TAR


def check(path: Path, limit: int, error: type[ToolchainError]) -> int:
    """Return a file's size in bytes; archives are never unpacked.

    Raises:
        error: as `check_size`, or the file is an archive.
    """
    size = check_size(path, limit, error)
    try:
        archive = is_archive(path)
    except OSError as cause:
        raise error(f"{path}: cannot be read: {cause.strerror}") from cause
    if archive:
        raise error(f"{path}: an archive, which is not accepted; unpack it where you trust it")
    return size


def read(path: Path, limit: int, error: type[ToolchainError]) -> bytes:
    """Return a file's content.

    Raises:
        error: as `check`.
    """
    check(path, limit, error)
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as cause:
        raise error(f"{path}: cannot be read: {cause.strerror}") from cause
    if len(content) > limit:
        raise error(f"{path}: grew beyond {limit:,} bytes while it was read")
    return content
