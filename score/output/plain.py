"""Values of any of Arrow's types as text for CSV and as values of JSON: the same value, or an error."""

from __future__ import annotations

import json
import math
from typing import Any

import pyarrow as pa
import pyarrow.types as types

from score.input.texts import UnfitError, is_binary, is_string, is_valid

_OUT_OF_RANGE = "<value out of range"


def _utf8(array: pa.Array) -> pa.Array:
    found = array.cast(pa.large_binary()).view(pa.large_string())
    if not is_valid(found):
        raise UnfitError("bytes that are not UTF-8")
    return found


def _stored(array: pa.Array) -> pa.Array:
    """Return an array without what only names or packs its values."""
    if isinstance(array, pa.ExtensionArray):
        if array.type.extension_name == "arrow.uuid":
            values = (None if value is None else str(value) for value in array.to_pylist())
            return pa.array(values, pa.large_string())
        return _stored(array.storage)
    return _stored(array.dictionary_decode()) if types.is_dictionary(array.type) else array


def strings(array: pa.Array) -> pa.Array:
    """Return an array as `large_string`: lists and structures are JSON, times ISO 8601 with a space.

    Raises:
        UnfitError: bytes are not UTF-8, or a time is not of the years 1 to 9999 or so that text has.
    """
    array = _stored(array)
    if types.is_nested(array.type):
        values = (None if value is None else dump(value) for value in json_values(array))
        return pa.array(values, pa.large_string())
    if is_string(array.type) or is_binary(array.type) or types.is_fixed_size_binary(array.type):
        return _utf8(array)
    found = array.cast(pa.int64()) if types.is_duration(array.type) else array
    found = found.cast(pa.large_string())
    if types.is_temporal(array.type):
        for value in found.to_pylist():
            if value is not None and value.startswith(_OUT_OF_RANGE):
                raise UnfitError(f"a time out of range ({array.type})")
    return found


def _floats(array: pa.Array) -> list[float | None]:
    if types.is_float32(array.type):
        # The shortest number that reads back as the same float32.
        found = [None if text is None else float(text) for text in array.cast(pa.string()).to_pylist()]
    else:
        found = array.cast(pa.float64()).to_pylist()
    for value in found:
        if value is not None and not math.isfinite(value):
            raise UnfitError(f"{value}, which JSON has no number for")
    return found


def _rows(array: pa.Array) -> list[Any]:
    """Return a list array's rows; of a map each is a list of pairs."""
    if types.is_map(array.type):
        field = array.type
        pairs = pa.struct([("key", field.key_type), ("value", field.item_type)])
        array = array.cast(pa.list_(pairs))
        items: list[Any] = [list(pair.values()) for pair in json_values(array.flatten())]
    else:
        items = json_values(array.flatten())
    rows, start = [], 0
    for length in _lengths(array):
        rows.append(None if length is None else items[start : start + length])
        start += length or 0
    return rows


def _lengths(array: pa.Array) -> list[int | None]:
    valid = array.is_valid().to_pylist()
    if types.is_fixed_size_list(array.type):
        return [array.type.list_size if is_there else None for is_there in valid]
    return array.value_lengths().to_pylist()  # type: ignore[no-any-return]


def _structures(array: pa.Array) -> list[Any]:
    names = [field.name for field in array.type]
    if len(set(names)) < len(names):
        raise UnfitError("a structure whose fields share a name")
    columns = [json_values(column) for column in array.flatten()]
    if not columns:
        columns, names = [[None] * len(array)], []
    rows = zip(*columns, strict=True)
    valid = array.is_valid().to_pylist()
    return [
        dict(zip(names, row, strict=False)) if there else None for row, there in zip(rows, valid, strict=True)
    ]


def json_values(array: pa.Array) -> list[Any]:
    """Return an array as values of JSON: numbers and strings; times, decimals and the like are strings.

    Raises:
        UnfitError: as `strings`, and for numbers that are not finite.
    """
    array = _stored(array)
    if types.is_floating(array.type):
        return _floats(array)
    if types.is_struct(array.type):
        return _structures(array)
    if types.is_nested(array.type):
        return _rows(array)
    if types.is_integer(array.type) or types.is_boolean(array.type) or types.is_null(array.type):
        return array.to_pylist()  # type: ignore[no-any-return]
    return strings(array).to_pylist()  # type: ignore[no-any-return]


def dump(value: object) -> str:
    """Return a value of JSON as text."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
