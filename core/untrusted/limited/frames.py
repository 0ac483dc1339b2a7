"""Write and read what a limited process and its parent tell each other: JSON, and arrays as bare bytes.

Both sides read strictly: no pickle, types from a list, sizes that agree, and as many bytes as the reader
allows before it takes memory for them.
"""

from __future__ import annotations

import io
import json
import math
import struct
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.errors import ToolchainError
from core.untrusted import json_file, limits
from core.untrusted.regular_file import FIELD_ERRORS, naming

# A tensor, a sequence of tensors, or a sequence of dictionaries (ZipMap).
Value = Any
Header = dict[str, Any]

_SIZES = struct.Struct(">IQ")
# Numbers of numpy's begin where its loops like them to.
_ALIGNMENT = 64
_DTYPES = {
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64"),
}
_LISTED = 1 << 20  # tensors in a sequence


class FrameError(ToolchainError):
    """What the other side sent is no message of theirs; whoever holds the process names the file."""


def _padded(size: int) -> int:
    return -size % _ALIGNMENT


def _texts(kind: str, texts: list[Any], **more: Any) -> tuple[Header, list[memoryview]]:
    # In UTF-8, which half a surrogate pair is not: onnxruntime takes none, either.
    content = json.dumps([str(text) for text in texts], ensure_ascii=False).encode("utf-8")
    return {"kind": kind, "bytes": len(content), **more}, [memoryview(content)]


def _described(value: Value) -> tuple[Header, list[memoryview]]:
    """Return what describes a value, and its bytes."""
    if value is None:
        return {"kind": "none"}, []
    if isinstance(value, list | tuple) and value and isinstance(value[0], dict):
        keys = list(value[0])
        if any(list(row) != keys for row in value):
            raise ValueError("dictionaries of different keys")
        numbers, content = _described(np.array([list(row.values()) for row in value], np.float64))
        return {"kind": "maps", "keys": keys, "numbers": numbers}, content
    if isinstance(value, list | tuple):
        parts = [_described(item) for item in value]
        content = [piece for _, pieces in parts for piece in pieces]
        return {"kind": "list", "items": [description for description, _ in parts]}, content
    array = np.asarray(value)
    if array.dtype.kind in "OU":
        return _texts("texts", array.reshape(-1).tolist(), shape=array.shape)
    if array.dtype.name not in _DTYPES:
        raise ValueError(f"numbers of type {array.dtype.name}")
    flat = np.ascontiguousarray(array).reshape(-1)
    told = {"kind": "array", "dtype": array.dtype.name, "shape": array.shape, "bytes": flat.nbytes}
    return told, [memoryview(flat.view(np.uint8).data)]


class _Reader:
    """Takes values out of a message's bytes, in turn."""

    def __init__(self, content: memoryview) -> None:
        self._content, self._offset = content, 0

    def _take(self, size: int) -> memoryview:
        start, end = self._offset, self._offset + size
        if size < 0 or end > len(self._content):
            raise ValueError(f"{size} bytes of {len(self._content)} from {start} on")
        self._offset = end + _padded(size)
        return self._content[start:end]

    def value(self, told: Header) -> Value:
        kind = told["kind"]
        if kind == "none":
            return None
        if kind == "list":
            return [self.value(item) for item in told["items"][:_LISTED]]
        if kind == "maps":
            rows = self.value(told["numbers"]).tolist()
            return [dict(zip(told["keys"], row, strict=True)) for row in rows]
        shape = tuple(told["shape"])
        if any(not isinstance(axis, int) or axis < 0 for axis in shape):
            raise ValueError(f"shape {shape}")
        content = self._take(told["bytes"])
        if kind == "texts":
            texts = json_file.loads(bytes(content), "texts", FrameError)
            return np.array([str(text) for text in texts], object).reshape(shape)
        if kind != "array" or told["dtype"] not in _DTYPES:
            raise ValueError(f"a value of kind {kind!r}")
        dtype = np.dtype(told["dtype"])
        if math.prod(shape) * dtype.itemsize != len(content):
            raise ValueError(f"{len(content)} bytes for {dtype} {shape}")
        return np.frombuffer(content, dtype).reshape(shape)


def pack(header: Header, values: Sequence[Value], most: int | None = None) -> list[memoryview]:
    """Return a message as pieces to write.

    Args:
        header: what it says, as JSON can.
        values: tensors of numbers, truths or texts, sequences of them, sequences of dictionaries.
        most: how many bytes the values may have.

    Raises:
        ValueError: a value is of another kind, or they are larger.
    """
    parts = [_described(value) for value in values]
    pieces: list[memoryview] = []
    for content in [content for _, contents in parts for content in contents]:
        pieces += [content, memoryview(bytes(_padded(len(content))))]
    size = sum(map(len, pieces))
    if most is not None and size > most:
        raise ValueError(f"answers with {size:,} bytes, expected at most {most:,}")
    told = json.dumps({**header, "values": [description for description, _ in parts]}).encode()
    return [memoryview(_SIZES.pack(len(told), size) + told), *pieces]


def write(file: io.FileIO, pieces: list[memoryview], lock: threading.Lock) -> None:
    """Write a message whole; messages of several threads don't mix.

    Raises:
        OSError: the other side is gone.
    """
    with lock:
        for piece in pieces:
            rest = piece
            while rest:
                rest = rest[file.write(rest) or 0 :]


def _fill(file: io.FileIO, size: int) -> bytearray | None:
    content = bytearray(size)
    view, filled = memoryview(content), 0
    while filled < size:
        count = file.readinto(view[filled:])
        if not count:
            return None
        filled += count
    return content


def read_header(file: io.FileIO) -> tuple[Header, int] | None:
    """Read what a message says, and how many bytes its values have; None where the other side is gone.

    Raises:
        FrameError: it is no message.
    """
    start = _fill(file, _SIZES.size)
    if start is None:
        return None
    told, size = _SIZES.unpack(start)
    if told > limits.JSON_BYTES:
        raise FrameError(f"a message of {told:,} bytes")
    content = _fill(file, told)
    if content is None:
        return None
    header = json_file.loads(bytes(content), "a message", FrameError)
    forms = {"values": list, "number": int}
    if not isinstance(header, dict) or not all(
        isinstance(header.get(k, 0), form) for k, form in forms.items()
    ):
        raise FrameError("a message of another form")
    return header, size


def read_values(file: io.FileIO, header: Header, size: int) -> list[Value] | None:
    """Read a message's values; None where the other side is gone.

    Raises:
        FrameError: they are not what the header says.
    """
    content = _fill(file, size)
    if content is None:
        return None
    with naming("a message", FrameError, "", *FIELD_ERRORS):
        reader = _Reader(memoryview(content))
        return [reader.value(told) for told in header["values"]]
    raise AssertionError
