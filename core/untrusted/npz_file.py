"""Reading a stranger's arrays, `.npz` and `.npy`: no pickle, and no more memory than the file states."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ToolchainError
from core.untrusted import limits, regular_file

Arrays = dict[str, NDArray[Any]]

_KINDS = "biufU"
_ENCRYPTED = 1
_END_BYTES, _LOCATOR_BYTES = 22, 20
_END, _LOCATOR = b"PK\x05\x06", b"PK\x06\x07"
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class _RefusedError(ValueError):
    pass


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise _RefusedError(f"found version {version} of the array format, expected {list(_HEADERS)}")
    try:
        return _HEADERS[version](file)
    except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise _RefusedError(f"its header is no array's: {error}") from error


def _array(file: IO[bytes], size: int) -> NDArray[Any]:
    """Read an array from a file of `size` bytes, which its header must account for."""
    shape, fortran, dtype = _header(file)
    if dtype.kind not in _KINDS or dtype.hasobject or dtype.subdtype or not dtype.itemsize:
        raise _RefusedError(f"found elements of type {dtype}, expected numbers or text")
    stated = math.prod(shape) * dtype.itemsize
    if any(axis < 0 for axis in shape) or len(shape) > 8:
        raise _RefusedError(f"found shape {shape}")
    content = file.read(min(stated, size) + 1)
    if len(content) != stated:
        raise _RefusedError(f"shape {shape} of {dtype} takes {stated:,} bytes, found {len(content):,}")
    flat = np.frombuffer(bytearray(content), dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def _directory(content: bytes) -> None:
    """Check what a zip says at its end, before the list of its members is read."""
    end = content[-_END_BYTES:]
    if not end.startswith(_END) or content[-_END_BYTES - _LOCATOR_BYTES :].startswith(_LOCATOR):
        raise _RefusedError("not a plain .npz")
    size = int.from_bytes(end[12:16], "little")
    if size > limits.NPZ_DIRECTORY_BYTES:
        raise _RefusedError(f"its list of members has {size:,} bytes")


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    found = archive.infolist()
    names = [member.filename for member in found]
    if len(set(names)) != len(names):
        raise _RefusedError("a member is there twice")
    if any(member.flag_bits & _ENCRYPTED for member in found):
        raise _RefusedError("a member is encrypted")
    if not {member.compress_type for member in found} <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise _RefusedError("a member is compressed in a way that numpy never writes")
    if not all(name.endswith(".npy") for name in names):
        raise _RefusedError("a member is not an array")
    total = sum(member.file_size for member in found)
    if total > limits.NPZ_BYTES:
        raise _RefusedError(f"unpacks to {total:,} bytes, expected at most {limits.NPZ_BYTES:,}")
    return found


def read(path: Path, error: type[ToolchainError], said: str = "cannot be read", hint: str = "") -> Arrays:
    """Read the arrays of an `.npz`.

    Args:
        said: what an error says of the file.
        hint: what it says at its end.

    Raises:
        error: missing, too large packed or unpacked, damaged, encrypted, or with objects in it.
    """
    regular_file.check_size(path, limits.NPZ_BYTES, error)
    try:
        content = path.read_bytes()
        _directory(content)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            found = {}
            for member in _members(archive):
                with archive.open(member) as file:
                    found[member.filename.removesuffix(".npy")] = _array(file, member.file_size)
            return found
    # zlib's error has no other base than Exception, and zipfile raises several bare kinds.
    except Exception as cause:
        raise error(f"{path}: {said}: {cause}{hint}") from cause


def read_one(path: Path, error: type[ToolchainError]) -> NDArray[Any]:
    """Read the array of an `.npy` file.

    Raises:
        error: missing, damaged, or of objects.
    """
    size = regular_file.check_size(path, limits.GRAPH_BYTES, error)
    try:
        with path.open("rb") as file:
            return _array(file, size)
    except (OSError, ValueError, EOFError) as cause:
        raise error(f"{path}: not an array: {cause}") from cause
