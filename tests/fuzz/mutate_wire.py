"""Mutations of protobuf's wire format: fields put twice, moved, cut, spelled otherwise, of another type."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

_WIDTHS = {1: 8, 5: 4}


class _Field(NamedTuple):
    """A field: the bytes of its tag and length, where its content begins, and its end."""

    number: int
    wire: int
    start: int
    content: int
    end: int


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def _spelled(value: int, longer: int = 0) -> bytes:
    """Write a number, with so many bytes that say nothing."""
    out = bytearray()
    while True:
        value, low = value >> 7, value & 127
        if not value and not longer:
            return bytes([*out, low])
        out.append(low | 128)
        if not value:
            return bytes([*out, *[128] * (longer - 1), 0])


def _fields(data: bytes) -> list[_Field]:
    """Return the fields of a message; of what is none, those before the fault."""
    found, at = [], 0
    while at < len(data):
        try:
            tag, content = _varint(data, at)
            wire = tag & 7
            size = 0
            if wire == 0:
                _, end = _varint(data, content)
            else:
                if wire == 2:
                    size, content = _varint(data, content)
                elif wire not in _WIDTHS:
                    return found
                end = content + (size if wire == 2 else _WIDTHS[wire])
        except IndexError:
            return found
        if end > len(data):
            return found
        found.append(_Field(tag >> 3, wire, at, content, end))
        at = end
    return found


def _one(field: _Field, data: bytes, random: Random) -> bytes:
    """Return a field written otherwise."""
    content = data[field.content : field.end]
    way = random.randrange(7)
    number, wire = field.number, field.wire
    if way == 0:
        number = random.choice((number + 1, 7, 31, 1 << 28, 0, number ^ 1))
    elif way == 1:
        wire = random.choice((0, 1, 2, 3, 4, 5))
    elif way == 2 and wire == 0:
        content = _spelled(random.choice((0, 1, 127, 1 << 31, 1 << 32, (1 << 64) - 1, 1 << 63)))
    elif way == 3 and wire == 0:
        value, _ = _varint(content, 0)
        content = _spelled(value, random.choice((1, 2, 9)))
    elif way == 4 and wire == 2:
        content = content[: random.randrange(len(content) + 1)]
    elif way == 5 and wire == 2:
        content += random.choice((content, b"\x00", random.randbytes(3)))
    longer = random.choice((0, 0, 0, 1, 3))
    tag = _spelled(number << 3 | wire, longer)
    return tag + (_spelled(len(content), longer) if wire == 2 else b"") + content


def _changed(data: bytes, random: Random, depth: int) -> bytes:
    fields = _fields(data)
    if not fields:
        return data + random.choice((b"", b"\x00", b"\x0a\x00"))
    field = random.choice(fields)
    inside = data[field.content : field.end]
    # Most of a file is deep inside.
    if field.wire == 2 and depth and _fields(inside) and random.random() < 0.8:
        inside = _changed(inside, random, depth - 1)
        changed = _spelled(field.number << 3 | 2) + _spelled(len(inside)) + inside
        return data[: field.start] + changed + data[field.end :]
    whole, way = data[field.start : field.end], random.randrange(4)
    if way == 0:
        return data[: field.start] + data[field.end :]
    if way == 1:
        place = random.choice(fields).start
        return data[:place] + whole + data[place:]
    if way == 2:
        return data[: field.start] + data[field.end :] + whole
    return data[: field.start] + _one(field, data, random) + data[field.end :]


def mutated(content: bytes, random: Random) -> bytes:
    """Return a message with one to three of its fields, or of those inside it, changed."""
    for _ in range(random.choice((1, 1, 2, 3))):
        content = _changed(content, random, 8)
    return content
