"""Compare what our reader of ONNX files reads with what protobuf's own library makes of the same bytes."""

from __future__ import annotations

import struct
from typing import Any

import onnx
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from core.untrusted.wire.protobuf import integers
from tests.fuzz.same import DifferenceError

_FORMATS = {FieldDescriptor.CPPTYPE_FLOAT: "f", FieldDescriptor.CPPTYPE_DOUBLE: "d"}
_NO_NUMBERS = {FieldDescriptor.CPPTYPE_STRING, FieldDescriptor.CPPTYPE_MESSAGE}
_INT32 = {FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_ENUM}


def check(content: bytes, model: dict[str, Any]) -> None:
    """Hold a model that we accept to protobuf's, field by field; what that refuses nobody reads.

    Raises:
        DifferenceError: a field is there for one of them alone, or differs.
    """
    try:
        theirs = onnx.ModelProto.FromString(content)
    except DecodeError:
        return
    _check(model, theirs, "model")


def _check(ours: dict[str, Any], theirs: Message, place: str) -> None:
    for field in theirs.DESCRIPTOR.fields:
        name = f"{place}.{field.name}"
        if field.is_repeated:
            _check_repeated(field, ours.get(field.name, []), list(getattr(theirs, field.name)), name)
        elif (field.name in ours) != theirs.HasField(field.name):
            if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
                # A number that the enumeration lacks is nothing to protobuf.
                continue
            here, there = ("there", "not there") if field.name in ours else ("not there", "there")
            raise DifferenceError(f"{name}: {here}, protobuf's {there}")
        elif field.name in ours:
            _check_value(field, ours[field.name], getattr(theirs, field.name), name)


def _check_repeated(field: FieldDescriptor, ours: list[Any], theirs: list[Any], place: str) -> None:
    if ours and isinstance(ours[0], memoryview) and field.cpp_type not in _NO_NUMBERS:
        ours = _floats(b"".join(ours), field) if field.cpp_type in _FORMATS else integers(ours)
    if len(ours) != len(theirs):
        raise DifferenceError(f"{place}: {len(ours)} items, protobuf's {len(theirs)}")
    for index, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
        _check_value(field, mine, other, f"{place}[{index}]")


def _floats(content: bytes, field: FieldDescriptor) -> list[float]:
    format_ = _FORMATS[field.cpp_type]
    return list(struct.unpack(f"<{len(content) // struct.calcsize(format_)}{format_}", content))


def _check_value(field: FieldDescriptor, ours: Any, theirs: Any, place: str) -> None:
    if isinstance(theirs, Message):
        # What we refuse or never look into stays bytes.
        if isinstance(ours, dict):
            _check(ours, theirs, place)
        return
    if isinstance(ours, memoryview):
        ours = _floats(bytes(ours), field)[0] if field.cpp_type in _FORMATS else bytes(ours)
    elif isinstance(ours, int):
        bits = 32 if field.cpp_type in _INT32 else 64
        ours, theirs = ours % (1 << bits), theirs % (1 << bits)
    # NaN is NaN.
    if ours != theirs and (ours == ours or theirs == theirs):
        raise DifferenceError(f"{place}: {str(ours)[:60]!r}, protobuf's {str(theirs)[:60]!r}")
