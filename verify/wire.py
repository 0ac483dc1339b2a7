"""The constants of an ONNX file, read from its bytes: as much of protobuf's wire format as that takes.

`onnx` is no dependency of an artifact's reader, and onnxruntime shows inputs and outputs only. Nothing is
copied but names and the constant that is asked for, so that a graph of any size takes little memory.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.contract import ArtifactError

# Field numbers of onnx.proto.
_MODEL_GRAPH = 7
_GRAPH_NODE, _GRAPH_INITIALIZER = 1, 5
_NODE_INPUT, _NODE_OUTPUT, _NODE_OPERATOR = 1, 2, 4
_TENSOR_TYPE, _TENSOR_FLOATS, _TENSOR_NAME, _TENSOR_RAW = 2, 4, 8, 9
_FLOAT = 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number of over ten bytes")


def fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield field number and value of a message: numbers as they are, the rest as a view.

    Raises:
        ValueError, IndexError: it is not a message.
    """
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if size > len(data) - at:
            raise ValueError(f"a field of {size} bytes where {len(data) - at} are left")
        yield key >> 3, data[at : at + size]
        at += size


def _views(data: memoryview, number: int) -> Iterator[memoryview]:
    return (value for found, value in fields(data) if found == number and isinstance(value, memoryview))


def _names(data: memoryview, number: int) -> list[str]:
    return [bytes(value).decode("utf-8") for value in _views(data, number)]


def _floats(tensor: memoryview) -> NDArray[np.float32]:
    kinds = [value for number, value in fields(tensor) if number == _TENSOR_TYPE]
    if kinds != [_FLOAT]:
        raise ValueError(f"found element type {kinds}, expected float32")
    content = b"".join(map(bytes, [*_views(tensor, _TENSOR_RAW), *_views(tensor, _TENSOR_FLOATS)]))
    return np.frombuffer(content, "<f4")


def _compared_with(data: memoryview, output: str) -> NDArray[np.float32]:
    (graph,) = _views(data, _MODEL_GRAPH)
    for node in _views(graph, _GRAPH_NODE):
        if _names(node, _NODE_OUTPUT) == [output]:
            operator, inputs = _names(node, _NODE_OPERATOR), _names(node, _NODE_INPUT)
            break
    else:
        raise ValueError(f"no node computes {output}")
    if operator != ["GreaterOrEqual"] or len(inputs) != 2:
        raise ValueError(f"{output}: found {operator} of {inputs}, expected GreaterOrEqual of two")
    for tensor in _views(graph, _GRAPH_INITIALIZER):
        if _names(tensor, _TENSOR_NAME) == inputs[1:]:
            return _floats(tensor)
    raise ValueError(f"{output}: {inputs[1]} is not a constant")


def compared_with(path: Path, output: str) -> NDArray[np.float32]:
    """Return the constant, flat, that the `GreaterOrEqual` node of an output compares with.

    Raises:
        ArtifactError: the file is not a graph, or has no such node or constant.
    """
    try:
        with path.open("rb") as file:
            # Not closed by hand: the views on it are, with the last of them.
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return _compared_with(memoryview(mapped), output).copy()
    except (OSError, ValueError, IndexError) as error:
        raise ArtifactError(f"{path}: its constants cannot be read: {error}") from error
