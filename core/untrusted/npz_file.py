"""Read untrusted arrays, `.npz` and `.npy`: no pickle, and no more memory than the file states."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import ToolchainError
from core.untrusted import limits, regular_file, zip_file
from core.untrusted.regular_file import RefusedError

Arrays = dict[str, NDArray[Any]]

_KINDS = "biufU"
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise RefusedError(f"found version {version} of the array format, expected {list(_HEADERS)}")
    causes = (SyntaxError, TypeError, MemoryError, RecursionError)
    with regular_file.naming("its header is no array's", RefusedError, "", *causes):
        return _HEADERS[version](file)


def _array(file: IO[bytes], size: int) -> NDArray[Any]:
    """Read an array from a file of `size` bytes, which its header must account for."""
    shape, fortran, dtype = _header(file)
    if dtype.kind not in _KINDS or dtype.hasobject or dtype.subdtype or not dtype.itemsize:
        raise RefusedError(f"found elements of type {dtype}, expected numbers or text")
    stated = math.prod(shape) * dtype.itemsize
    if any(axis < 0 for axis in shape) or len(shape) > 8:
        raise RefusedError(f"found shape {shape}")
    content = file.read(min(stated, size) + 1)
    if len(content) != stated:
        raise RefusedError(f"shape {shape} of {dtype} takes {stated:,} bytes, found {len(content):,}")
    flat = np.frombuffer(bytearray(content), dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    members = zip_file.members(archive, limits.NPZ_BYTES)
    if not all(member.filename.endswith(".npy") for member in members):
        raise RefusedError("a member is not an array")
    return members


def read(path: Path, error: type[ToolchainError], problem: str = "cannot be read", hint: str = "") -> Arrays:
    """Read the arrays of an `.npz`.

    Args:
        problem: what an error says of the file.
        hint: what it says at its end.

    Raises:
        error: missing, too large packed or unpacked, damaged, encrypted, or with objects in it.
    """
    content = bytes(regular_file.read_any(path, limits.NPZ_BYTES, error))
    # zlib's error has no other base than Exception, and zipfile raises several bare kinds.
    with regular_file.naming(path, error, problem, Exception, hint=hint):
        zip_file.check_end(content, limits.NPZ_DIRECTORY_BYTES)
        arrays = {}
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in _members(archive):
                with archive.open(member) as file:
                    arrays[member.filename.removesuffix(".npy")] = _array(file, member.file_size)
    return arrays


def read_one(path: Path, error: type[ToolchainError]) -> NDArray[Any]:
    """Read the array of an `.npy` file.

    Raises:
        error: missing, damaged, or of objects.
    """
    size = regular_file.check_size(path, limits.GRAPH_BYTES, error)
    with (
        regular_file.naming(path, error, "not an array", OSError, ValueError, EOFError),
        path.open("rb") as file,
    ):
        return _array(file, size)
