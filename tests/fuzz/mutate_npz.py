"""Mutations of arrays: dropped, renamed, retyped, reshaped, with other numbers, or stated wrongly."""

from __future__ import annotations

import io
import zipfile
from random import Random

import numpy as np

_KINDS = ("int8", "int32", "int64", "uint8", "float16", "float32", "float64", "bool", "<U3", "complex64")
_VALUES = (0, -1, 2**31 - 1, -(2**31), np.nan, np.inf, 1e38)


def _change(arrays: dict[str, np.ndarray], random: Random) -> None:
    name = random.choice(list(arrays))
    array = arrays[name]
    way = random.randrange(7)
    if way == 0:
        del arrays[name]
    elif way == 1:
        arrays[random.choice((f"{name}x", "", "a/../b", random.choice(list(arrays))))] = arrays.pop(name)
    elif way == 2:
        arrays[name] = array.astype(random.choice(_KINDS))
    elif way == 3:
        arrays[name] = random.choice((array.reshape(-1), array[None], array[:0], array[..., :1], array[::-1]))
    elif way == 4 and array.size:
        flat = array.reshape(-1).copy()
        flat[random.randrange(flat.size)] = np.array(random.choice(_VALUES)).astype(flat.dtype)
        arrays[name] = flat.reshape(array.shape)
    elif way == 5:
        arrays[name] = np.concatenate([array, array])
    else:
        arrays[name] = arrays[random.choice(list(arrays))]


def _header(shape: str, kind: str) -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    return b"\x93NUMPY\x01\x00" + (len(text) + 1).to_bytes(2, "little") + text.encode() + b"\n"


_HEADERS = (
    ("(1000000000000,)", "<f4"),
    ("(-1,)", "<f4"),
    ("()", "|O"),
    ("(2, 2)", "<f4"),
    ("(" * 90 + ")" * 90, "<f4"),
    ("(0, 99999999999)", "<i8"),
    ("(3,)", "|V9999999"),
    ("__import__('os')", "<f4"),
)


def _stated(arrays: dict[str, np.ndarray], random: Random) -> bytes:
    """Write a zip whose members say what they don't hold, or are duplicates."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", random.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))) as archive:
        chosen = random.choice(list(arrays))
        for name, array in arrays.items():
            content = _header(*random.choice(_HEADERS)) + array.tobytes() if name == chosen else b""
            if not content:
                one = io.BytesIO()
                np.save(one, array)
                content = one.getvalue()
            # Without a ZipInfo the clock would be in it.
            member = zipfile.ZipInfo(f"{name}.npy" if random.random() < 0.97 else name)
            member.compress_type = archive.compression
            archive.writestr(member, content)
    return buffer.getvalue()


def mutated(content: bytes, random: Random) -> bytes:
    """Return an `.npz` with a few changes."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    if random.random() < 0.3:
        return _stated(arrays, random)
    with np.errstate(all="ignore"):
        for _ in range(random.choice((1, 1, 2))):
            if arrays:
                try:
                    _change(arrays, random)
                except (ValueError, IndexError, TypeError, OverflowError):
                    continue
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()
