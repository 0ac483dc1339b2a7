"""Compare what our readers of JSON, arrays, zips and weights accept with what others read."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np

from tests.fuzz.same import DifferenceError


def check_json(content: bytes, value: Any) -> None:
    """Hold a value to what Python's json makes of the bytes."""
    if repr(json.loads(content)) != repr(value):
        raise DifferenceError(f"{value!r:.80}, json's {json.loads(content)!r:.80}")


def check_npz(content: bytes, arrays: dict[str, np.ndarray]) -> None:
    """Hold arrays to numpy's own reader, by name, type, shape and bits."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        if set(file.files) != set(arrays):
            raise DifferenceError(f"{sorted(arrays)}, numpy's {sorted(file.files)}")
        for name, array in arrays.items():
            theirs = file[name]
            if (theirs.dtype, theirs.shape) != (array.dtype, array.shape):
                raise DifferenceError(f"{name}: {array.dtype} {array.shape}, {theirs.dtype} {theirs.shape}")
            if theirs.tobytes() != array.tobytes():
                raise DifferenceError(f"{name}: other values")


def check_zip(content: bytes, most: int) -> None:
    """Hold a zip that may be unpacked to what unpacking it takes, as its library does."""
    size = 0
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            # zlib's error has no other base; what unpacks the members turns all into a refusal.
            try:
                size += len(archive.read(member))
            except Exception:
                return
    if size > most:
        raise DifferenceError(f"unpacks to {size:,} bytes, over {most:,}")


def check_weights(content: bytes, shapes: dict[str, tuple[int, ...]]) -> None:
    """Hold the shapes of tensors to a header read without the library; the data must end with the file."""
    start = 8 + int.from_bytes(content[:8], "little")
    header = {name: row for name, row in json.loads(content[8:start]).items() if name != "__metadata__"}
    if {name: tuple(row["shape"]) for name, row in header.items()} != shapes:
        raise DifferenceError(f"{shapes}, the header's {header}")
    end = max((row["data_offsets"][1] for row in header.values()), default=0)
    if start + end != len(content):
        raise DifferenceError(f"tensors to byte {start + end:,} of {len(content):,}")
