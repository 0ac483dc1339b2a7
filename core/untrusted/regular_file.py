"""Read an untrusted file: a regular one of limited size. Standard library only."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from core.errors import ToolchainError
from core.untrusted import held, limits

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
_TAR_OFFSET, _TAR = 257, b"ustar"
_LONGEST_START = _TAR_OFFSET + len(_TAR)
# What git leaves in place of a large file where git-lfs has not been (git-lfs, docs/spec.md).
_POINTER = b"version https://git-lfs.github.com/spec/"


# What looking for fields raises that are missing or of another type.
FIELD_ERRORS = (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError)


class RefusedError(ValueError):
    """Content that is not accepted; `naming` adds the file's name to the message."""


@contextmanager
def naming(
    place: object, error: type[Exception], problem: str, *causes: type[BaseException], hint: str = ""
) -> Iterator[None]:
    """Raise an exception of the block as `error`, whose message names the file and the problem.

    Args:
        place: the file's name, which the message begins with.
        error: what is raised.
        problem: what the message says of the file before the cause; may be empty.
        causes: the exceptions to expect. Errors of the toolchain and interrupts pass as they are.
        hint: the message's end.
    """
    try:
        yield
    except (ToolchainError, KeyboardInterrupt, SystemExit):
        raise
    except causes as cause:
        reason = getattr(cause, "strerror", None) or cause
        if isinstance(cause, RecursionError):
            reason = f"nested deeper than {limits.DEPTH}"
        if isinstance(cause, KeyError):
            reason = f"{cause} is missing"
        raise error(": ".join(filter(None, [str(place), problem, f"{reason}{hint}"]))) from cause


def _checked(status: os.stat_result, path: Path, limit: int, error: type[ToolchainError]) -> int:
    if not stat.S_ISREG(status.st_mode):
        raise RefusedError("not a regular file")
    if status.st_size > limit:
        raise error(f"{path}: found {status.st_size:,} bytes, expected at most {limit:,}")
    return status.st_size


def check_size(path: Path, limit: int, error: type[ToolchainError]) -> int:
    """Return a file's size in bytes.

    Raises:
        error: there is none, it is no regular file (a pipe would wait forever), or it is larger than
            `limit` bytes.
    """
    with naming(path, error, "cannot be read", OSError, ValueError):
        return _checked(path.stat(), path, limit, error)
    raise AssertionError


def check_pointer(path: Path, error: type[ToolchainError]) -> None:
    """Check that a file is there itself, not git-lfs's pointer to it.

    Raises:
        error: it is a pointer, or cannot be read.
    """
    with naming(path, error, "cannot be read", OSError), path.open("rb") as file:
        if file.read(len(_POINTER)) == _POINTER:
            raise error(f"{path}: a git-lfs pointer, not the file; `git lfs pull` brings the file")


def check(path: Path, limit: int, error: type[ToolchainError]) -> int:
    """Return a file's size in bytes; archives are never unpacked.

    Raises:
        error: as `check_size`, or the file is an archive or git-lfs's pointer to one.
    """
    size = check_size(path, limit, error)
    check_pointer(path, error)
    with naming(path, error, "cannot be read", OSError), path.open("rb") as file:
        start = file.read(_LONGEST_START)
    if start.startswith(_ARCHIVES) or start[_TAR_OFFSET:] == _TAR:
        raise error(f"{path}: an archive, which is not accepted; unpack it where you trust it")
    return size


@contextmanager
def opened(path: Path, limit: int, error: type[ToolchainError]) -> Iterator[BufferedReader]:
    """Open a file, and look at what was opened: what has its name may change in between.

    Raises:
        error: as `check_size`, or reading it in the block fails.
    """
    with naming(path, error, "cannot be read", OSError, ValueError):
        # A pipe would wait for its other end.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            _checked(os.fstat(file.fileno()), path, limit, error)
            yield file


def sha256(path: Path, limit: int, error: type[ToolchainError]) -> tuple[str, int]:
    """Return the SHA-256 of a file, as lower-case hexadecimal, and its size in bytes.

    Raises:
        error: as `check_size`, or it is held, and was another.
    """
    with opened(path, limit, error) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    held.check(path, digest, error)
    return digest, size


def read_any(path: Path, limit: int, error: type[ToolchainError]) -> bytearray:
    """Return the content of a file that may begin as archives do.

    Raises:
        error: as `check_size`, or it is held, and was another.
    """
    with opened(path, limit, error) as file:
        content = bytearray(file.read(limit + 1))
    if len(content) > limit:
        raise error(f"{path}: grew beyond {limit:,} bytes while it was read")
    if held.is_held(path):
        held.check(path, hashlib.sha256(content).hexdigest(), error)
    return content


def read(path: Path, limit: int, error: type[ToolchainError]) -> bytes:
    """Return a file's content.

    Raises:
        error: as `check`, or it is held, and was another.
    """
    check(path, limit, error)
    return bytes(read_any(path, limit, error))
