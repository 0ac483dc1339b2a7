"""Read ONNX files without protobuf's library, strictly and within bounds. Standard library only.

A message becomes a dict, field name to value, or to a list where the field is repeated; bytes are views
into the file, so that weights are never copied. Whatever two parsers could read differently is refused:
fields that the format doesn't have, a single field given twice (protobuf would merge them), a field of
another wire type, groups. The format: https://protobuf.dev/programming-guides/encoding/ and onnx.proto.
"""

from __future__ import annotations

from typing import Any

from core.untrusted import limits
from core.untrusted.regular_file import RefusedError, naming

Message = dict[str, Any]

# number name kind, `*` where it is repeated; kinds in lower case are scalars, others messages. `never` is
# what may hold tensors, graphs or settings of a device that nothing here looks into.
_MESSAGES = {
    "Model": "1 ir_version int, 2 producer_name text, 3 producer_version text, 4 domain text, "
    "5 model_version int, 6 doc_string text, 7 graph Graph, 8 opset_import Opset*, "
    "14 metadata_props Entry*, 20 training_info never, 25 functions Function*, 26 configuration never",
    "Opset": "1 domain text, 2 version int",
    "Entry": "1 key text, 2 value text",
    "Graph": "1 node Node*, 2 name text, 5 initializer Tensor*, 10 doc_string text, 11 input Value*, "
    "12 output Value*, 13 value_info Value*, 14 quantization_annotation never, "
    "15 sparse_initializer never, 16 metadata_props Entry*",
    "Function": "1 name text, 4 input text*, 5 output text*, 6 attribute text*, 7 node Node*, "
    "8 doc_string text, 9 opset_import Opset*, 10 domain text, 11 attribute_proto Attribute*, "
    "12 value_info Value*, 13 overload text, 14 metadata_props Entry*",
    "Node": "1 input text*, 2 output text*, 3 name text, 4 op_type text, 5 attribute Attribute*, "
    "6 doc_string text, 7 domain text, 8 overload text, 9 metadata_props Entry*, "
    "10 device_configurations never",
    "Attribute": "1 name text, 2 f fixed32, 3 i int, 4 s bytes, 5 t Tensor, 6 g Graph, 7 floats fixed32*, "
    "8 ints int*, 9 strings bytes*, 10 tensors Tensor*, 11 graphs Graph*, 13 doc_string text, 14 tp Type, "
    "15 type_protos Type*, 20 type int, 21 ref_attr_name text, 22 sparse_tensor never, "
    "23 sparse_tensors never",
    "Tensor": "1 dims int*, 2 data_type int, 3 segment never, 4 float_data fixed32*, 5 int32_data varints*, "
    "6 string_data bytes*, 7 int64_data varints*, 8 name text, 9 raw_data bytes, 10 double_data fixed64*, "
    "11 uint64_data varints*, 12 doc_string text, 13 external_data Entry*, 14 data_location int, "
    "16 metadata_props Entry*",
    "Value": "1 name text, 2 type Type, 3 doc_string text, 4 metadata_props Entry*",
    "Type": "1 tensor_type TensorType, 4 sequence_type ElementType, 5 map_type MapType, 6 denotation text, "
    "8 sparse_tensor_type never, 9 optional_type ElementType",
    "TensorType": "1 elem_type int, 2 shape Shape",
    "ElementType": "1 elem_type Type",
    "MapType": "1 key_type int, 2 value_type Type",
    "Shape": "1 dim Dimension*",
    "Dimension": "1 dim_value int, 2 dim_param text, 3 denotation text",
}
# Of these protobuf keeps what comes last (`oneof`).
_CHOICES = {
    "Type": ("tensor_type", "sequence_type", "map_type", "optional_type"),
    "Dimension": ("dim_value", "dim_param"),
}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIDTH = {"fixed32": 4, "fixed64": 8}
_WINDOW = 4096
_WIRE = {"int": _VARINT, "varints": _VARINT, "fixed32": _FIXED32, "fixed64": _FIXED64}


class WireError(ValueError):
    """Not an ONNX file, or one beyond the limits; the message says where."""


def _fields(text: str) -> dict[int, tuple[str, str, bool]]:
    rows = [row.split() for row in text.split(", ")]
    return {int(number): (name, kind.rstrip("*"), kind.endswith("*")) for number, name, kind in rows}


_SCHEMA = {name: _fields(text) for name, text in _MESSAGES.items()}


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


class _Reader:
    def __init__(self, view: memoryview) -> None:
        self.view = view
        self.left = limits.MESSAGE_FIELDS

    def spend(self, fields: int) -> None:
        self.left -= fields
        if self.left < 0:
            raise WireError(f"more than {limits.MESSAGE_FIELDS:,} fields")

    def varint(self, at: int, end: int) -> tuple[int, int]:
        # Most are of one byte.
        if at < end and (first := self.view[at]) < 128:
            return first, at + 1
        value = shift = 0
        while True:
            if at >= end or shift > 63:
                raise WireError(f"a number at byte {at} is cut off")
            byte = self.view[at]
            value |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                return value & (1 << 64) - 1, at

    def field(self, wire: int, at: int, end: int) -> tuple[int, int, int]:
        """Return where a field's content begins and ends, and the number that a varint is."""
        if wire == _VARINT:
            value, after = self.varint(at, end)
            return at, after, value
        if wire == _BYTES:
            size, at = self.varint(at, end)
        else:
            size = 4 if wire == _FIXED32 else 8
        if size > end - at:
            raise WireError(f"a field at byte {at} is cut off")
        return at, at + size, 0

    def message(self, name: str, at: int, end: int, depth: int) -> Message:
        if depth > limits.MESSAGE_DEPTH:
            raise WireError(f"messages nested deeper than {limits.MESSAGE_DEPTH}")
        self.spend(limits.MESSAGE_COST)
        schema = _SCHEMA[name]
        content: Message = {key: [] for key, _, repeated in schema.values() if repeated}
        while at < end:
            self.spend(1)
            tag, at = self.varint(at, end)
            if tag >> 3 not in schema:
                raise WireError(f"{name} has no field {tag >> 3}, at byte {at}")
            key, kind, repeated = schema[tag >> 3]
            if kind == "never":
                raise RefusedError(f"{name}.{key} is not accepted, at byte {at}")
            wire = tag & 7
            packed = wire == _BYTES and repeated and kind in _WIRE
            if wire != _WIRE.get(kind, _BYTES) and not packed:
                raise WireError(f"{name}.{key}: wire type {wire}, at byte {at}")
            if repeated and kind in _WIDTH and wire == _WIRE[kind] and tag < 128:
                run, at = self.run(tag, _WIDTH[kind], at, end)
                content[key].append(run)
                continue
            if repeated and kind in ("int", "bytes") and not packed and tag < 128:
                at = self.row(content[key], tag, at, end)
                continue
            start, at, number = self.field(wire, at, end)
            if packed and kind == "int":
                content[key] += self.integers(start, at)
            elif repeated:
                content[key].append(self.value(kind, start, at, number, depth))
            elif key in content:
                raise WireError(f"duplicate {name}.{key}, at byte {start}")
            else:
                content[key] = self.value(kind, start, at, number, depth)
        chosen = [key for key in _CHOICES.get(name, ()) if key in content]
        if len(chosen) > 1:
            raise WireError(f"{name} has {' and '.join(chosen)}, expected one of them")
        return content

    def run(self, tag: int, width: int, at: int, end: int) -> tuple[memoryview, int]:
        """Return the bytes of numbers that follow each other, each behind its own tag, and their end."""
        count, stride, start = 1, width + 1, at - 1
        while True:
            stop = min(start + (count + _WINDOW) * stride, end)
            tags = bytes(self.view[start + count * stride : stop : stride])
            same = len(tags) - len(tags.lstrip(bytes([tag])))
            count += same
            if not same or same < len(tags):
                break
        if start + count * stride > end:
            raise WireError(f"a number at byte {at} is cut off")
        joined = bytearray(self.view[start : start + count * stride])
        del joined[::stride]
        return memoryview(joined), start + count * stride

    def row(self, found: list[Any], tag: int, at: int, end: int) -> int:
        """Append the integers or bytes that follow each other, each behind its own tag; return their end."""
        while True:
            start, at, number = self.field(tag & 7, at, end)
            found.append(_signed(number) if tag & 7 == _VARINT else self.view[start:at])
            if at >= end or self.view[at] != tag:
                return at
            at += 1
            self.spend(1)

    def value(self, kind: str, start: int, end: int, number: int, depth: int) -> Any:
        if kind == "int":
            return _signed(number)
        if kind == "text" and end - start > limits.TEXT_BYTES:
            raise WireError(f"a name at byte {start} has {end - start:,} bytes")
        if kind == "text":
            return str(self.view[start:end], "utf-8")
        if kind == "bytes" or kind in _WIRE:
            return self.view[start:end]
        return self.message(kind, start, end, depth + 1)

    def integers(self, at: int, end: int) -> list[int]:
        numbers = []
        while at < end:
            self.spend(1)
            number, at = self.varint(at, end)
            numbers.append(_signed(number))
        return numbers


def integers(views: list[memoryview]) -> list[int]:
    """Return the numbers of a field of varints, such as `int64_data`."""
    return [number for view in views for number in _Reader(view).integers(0, len(view))]


def read(data: bytes | memoryview) -> Message:
    """Read a `ModelProto`.

    Numbers that can be weights (`float_data`, `int64_data`, `floats` and so on) stay bytes: one view for
    each packed field, or each number.

    Raises:
        WireError: not one, cut off, or beyond the limits of fields and depth.
        RefusedError: it has a field that is not accepted.
    """
    view = memoryview(data)
    with naming("a name is not UTF-8", WireError, "", UnicodeDecodeError):
        return _Reader(view).message("Model", 0, len(view), 1)
