"""Values of JSON as they are written: numbers keep their digits until a type is found that holds them all."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.types as types

from score.input.texts import UnfitError

# 17 digits tell every double from the next; more of them are a double's only where they are exactly it.
_DIGITS = 17
# -9223372036854775808 and 18446744073709551615.
_LONGEST_WHOLE = 20
_CONSTANTS = {"NaN", "Infinity", "-Infinity"}


class Number(str):
    """A number's digits, or NaN, Infinity, -Infinity, which Python's json writes."""

    __slots__ = ()


class Repeated(dict[str, Any]):
    """An object in which keys come more than once."""

    names: list[str]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    keys = [key for key, _ in pairs]
    repeated = Repeated(found)
    repeated.names = sorted({key for key in keys if keys.count(key) > 1})
    return repeated


decode = json.JSONDecoder(
    parse_int=Number, parse_float=Number, parse_constant=Number, object_pairs_hook=_object
).decode


def dump(value: object, *, bare: bool = False) -> str:
    """Return a value as JSON, its numbers as they were; a `bare` string without quotes."""
    if isinstance(value, Number) or (bare and isinstance(value, str)):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{dump(key)}: {dump(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(dump, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _check_double(number: Number) -> None:
    if number in _CONSTANTS:
        return
    found = float(number)
    if not math.isfinite(found):
        raise UnfitError(f"found {number}, expected a number that a double can hold")
    if len(number.lstrip("-0.")) <= _DIGITS:
        return
    digits = re.sub(r"[eE].*", "", number).replace(".", "").lstrip("-0")
    if len(digits) > _DIGITS and Decimal(number) != Decimal(found):
        raise UnfitError(f"found {number[:60]}, of more digits than a double can hold")


_KINDS = {Number: "number", bool: "true or false", str: "string", list: "list"}


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "object")


class Shape:
    """What the values of a field are, over all rows."""

    def __init__(self) -> None:
        """Nothing but null, until a value is seen."""
        self.fields: dict[str, Shape] = {}
        self._kind: str | None = None
        self._line = 0
        self._whole = True
        self._low = self._high = 0
        self._items: Shape | None = None

    def see(self, value: Any, line: int, *, typed: bool) -> None:
        """Take one more value into account; `typed` is what must fit one type with all others.

        Raises:
            UnfitError: it does not; or it is no text that can be written.
        """
        if value is None:
            return
        if isinstance(value, Repeated):
            raise UnfitError(f"found {', '.join(value.names)} twice, expected once")
        kind = _kind(value)
        if typed and self._kind not in (None, kind):
            raise UnfitError(f"found {kind} {dump(value)[:60]}, on line {self._line} {self._kind}")
        if self._kind is None:
            self._kind, self._line = kind, line
        if kind == "string":
            _check_text(value)
        elif kind == "number" and typed:
            self._see_number(value)
        elif kind == "list":
            self._items = self._items or Shape()
            for item in value:
                self._items.see(item, line, typed=typed)
        elif kind == "object":
            self._see_fields(value.items(), line, typed=typed)

    def _see_fields(self, fields: Iterable[tuple[str, Any]], line: int, *, typed: bool) -> None:
        for name, field in fields:
            try:
                shape = self.fields.get(name)
                if shape is None:
                    _check_text(name)
                    shape = self.fields[name] = Shape()
                shape.see(field, line, typed=typed)
            except UnfitError as error:
                raise UnfitError(f"column {name!r}: {error}") from error

    def _see_number(self, number: Number) -> None:
        # -0 is a double's alone.
        if not number.lstrip("-").isdigit() or number == "-0":
            self._whole = False
            _check_double(number)
        elif len(number) > _LONGEST_WHOLE:
            raise UnfitError(f"found {number[:60]}, expected a whole number of 64 bits")
        elif not self._low <= (value := int(number)) <= self._high:
            self._low, self._high = min(self._low, value), max(self._high, value)
        # Doubles hold every whole number up to here.
        limits = (-(2**63), 2**64 - 1 if self._low >= 0 else 2**63 - 1) if self._whole else (-(2**53), 2**53)
        if not limits[0] <= self._low <= self._high <= limits[1]:
            beside = "whole number of 64 bits" if self._whole else "double, as others here are"
            raise UnfitError(f"found {number}, {self._low} to {self._high} in all, expected a {beside}")

    def type(self, name: str) -> pa.DataType:
        """Return the type that holds every value.

        Raises:
            UnfitError: no type of Parquet's does.
        """
        if self._kind == "number":
            whole = pa.uint64() if self._high >= 2**63 else pa.int64()
            return whole if self._whole else pa.float64()
        if self._kind == "list":
            return pa.list_((self._items or Shape()).type(name))
        if self._kind == "object":
            if not self.fields:
                raise UnfitError(f"column {name!r}: found objects without fields, which Parquet cannot hold")
            return pa.struct([(field, shape.type(f"{name}.{field}")) for field, shape in self.fields.items()])
        return {"true or false": pa.bool_(), "string": pa.string(), None: pa.null()}[self._kind]


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UnfitError("found half a surrogate pair, expected text") from error


def plain_values(values: Iterable[Any], type_: pa.DataType) -> list[Any]:
    """Return values of a column of a type, with numbers of Python's."""
    if types.is_nested(type_):
        return [plain(value, type_) for value in values]
    if types.is_floating(type_) or types.is_integer(type_):
        number = float if types.is_floating(type_) else int
        return [None if value is None else number(value) for value in values]
    return list(values)


def plain(value: Any, type_: pa.DataType) -> Any:
    """Return a value with numbers of Python's, as a type has them."""
    if isinstance(value, Number):
        return float(value) if types.is_floating(type_) else int(value)
    if isinstance(value, list):
        return [plain(item, type_.value_type) for item in value]
    if isinstance(value, dict):
        return {name: plain(item, type_.field(name).type) for name, item in value.items()}
    return value
