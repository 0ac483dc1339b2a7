"""Check that tensors of an untrusted ONNX file hold what they state. Standard library only."""

from __future__ import annotations

import math
import struct
from typing import Any

from core.untrusted import limits
from core.untrusted.wire.protobuf import Message, WireError, integers

_EXTERNAL = 1
# The field that holds a tensor's numbers where raw_data does not → TensorProto.DataType → bits of an element.
_TYPED = {
    "float_data": {1: 32},
    "int32_data": {2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 9: 8, 10: 16, 16: 16, 21: 4, 22: 4},
    "string_data": {8: 0},
    "int64_data": {7: 64},
    "double_data": {11: 64},
    "uint64_data": {12: 32, 13: 64},
}
_BITS = {kind: (bits, field) for field, kinds in _TYPED.items() for kind, bits in kinds.items()}
_INT32, _INT64, _BOOL, _FLOAT, _DOUBLE = 6, 7, 9, 1, 11
_FORMATS = {_FLOAT: "f", _DOUBLE: "d", _INT32: "i", _INT64: "q", _BOOL: "?"}
_WIDTHS = {"float_data": 4, "double_data": 8}
# Shapes and bounds are short; longer tensors are weights.
_SHORT = 64
_VARINT_MIDDLES = bytes(range(128, 256))


def _held(tensor: Message, field: str) -> int:
    """Return how many numbers a typed field holds."""
    views: list[memoryview] = tensor[field]
    if field == "string_data":
        return len(views)
    if field in _WIDTHS:
        if any(len(view) % _WIDTHS[field] for view in views):
            raise WireError(f"{field} is cut off")
        return sum(map(len, views)) // _WIDTHS[field]
    return sum(len(bytes(view).translate(None, _VARINT_MIDDLES)) for view in views)


def elements(dims: list[int]) -> int:
    """Return the number of elements of a shape.

    Raises:
        WireError: an axis is negative, or there are more than the limit.
    """
    if any(dim < 0 for dim in dims) or len(dims) > limits.DEPTH:
        raise WireError(f"found shape {dims[: limits.DEPTH]}")
    # An empty axis hides no other: what joins this tensor may bring the axis back.
    count = math.prod(max(dim, 1) for dim in dims)
    if count > limits.ELEMENTS:
        raise WireError(f"shape {dims} has {count:,} elements, expected at most {limits.ELEMENTS:,}")
    return math.prod(dims)


def check(tensor: Message) -> None:
    """Check that a tensor is inside the file, and has as many bytes as its shape and type say.

    Raises:
        WireError: it does not.
    """
    if tensor.get("data_location", 0) == _EXTERNAL or tensor["external_data"]:
        where = {entry.get("key"): entry.get("value") for entry in tensor["external_data"]}
        raise WireError(f"its data are in another file, {where.get('location')!r}, which is never opened")
    if tensor.get("data_location", 0):
        raise WireError(f"found data_location {tensor['data_location']}, expected 0")
    kind = tensor.get("data_type", 0)
    if kind not in _BITS:
        raise WireError(f"found element type {kind}, expected one of {sorted(_BITS)}")
    count = elements(tensor["dims"])
    bits, field = _BITS[kind]
    used = [name for name in _TYPED if tensor[name]]
    if "raw_data" in tensor:
        held, expected, what = len(tensor["raw_data"]), (count * bits + 7) // 8, "bytes"
        if used or field == "string_data":
            raise WireError("duplicate data")
    else:
        held, expected, what = _held(tensor, field), count, "numbers"
        if bits == 4:
            expected = (count + 1) // 2
        if set(used) - {field}:
            raise WireError(f"found {', '.join(used)}, expected {field}")
    if held != expected:
        raise WireError(f"shape {tensor['dims']} takes {expected:,} {what}, found {held:,}")


def short_numbers(tensor: Message) -> list[float] | None:
    """Return the numbers of a checked tensor that can be a shape, a bound or a switch; None of any other."""
    kind = tensor.get("data_type", 0)
    if kind not in _FORMATS or not 0 < math.prod(tensor["dims"]) <= _SHORT:
        return None
    if "raw_data" in tensor:
        data = bytes(tensor["raw_data"])
    elif kind in (_FLOAT, _DOUBLE):
        data = b"".join(bytes(view) for view in tensor["float_data" if kind == _FLOAT else "double_data"])
    elif kind == _INT64:
        return [*integers(tensor["int64_data"])]
    else:
        # Of a longer number protobuf takes the lower half.
        halves = (number & (1 << 32) - 1 for number in integers(tensor["int32_data"]))
        return [half - (1 << 32) if half >> 31 else half for half in halves]
    return list(struct.unpack(f"<{len(data) // struct.calcsize(_FORMATS[kind])}{_FORMATS[kind]}", data))


def check_type(value: Any, depth: int = 0) -> None:
    """Check the type that a graph states of a value.

    Raises:
        WireError: its shape is beyond the limits.
    """
    dims = value.get("tensor_type", {}).get("shape", {"dim": []})["dim"]
    elements([dim.get("dim_value", 1) for dim in dims])
    for inner in ("sequence_type", "optional_type"):
        if "elem_type" in value.get(inner, {}):
            check_type(value[inner]["elem_type"], depth + 1)
    if "value_type" in value.get("map_type", {}):
        check_type(value["map_type"]["value_type"], depth + 1)
