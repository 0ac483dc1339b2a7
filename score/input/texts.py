"""Read columns of text as they come: strings, bytes, dictionaries, nulls, bytes that are not UTF-8.

Bytes of a text that are not UTF-8 read as U+FFFD, the replacement character, in every kind of file. Those of
other columns stay, or are refused where they cannot.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as types

from core.errors import ScoreError


class UnfitError(ScoreError):
    """A value, or several, that the output's kind cannot hold as they are."""


def is_string(type_: pa.DataType) -> bool:
    """Whether a type is one of Arrow's of strings."""
    return bool(types.is_string(type_) or types.is_large_string(type_) or types.is_string_view(type_))


def is_binary(type_: pa.DataType) -> bool:
    """Whether a type is one of Arrow's of bytes, of no fixed length."""
    return bool(types.is_binary(type_) or types.is_large_binary(type_) or types.is_binary_view(type_))


def is_text(type_: pa.DataType) -> bool:
    """Whether a column of this type can be read as texts; one that holds only nulls can."""
    if types.is_dictionary(type_):
        type_ = type_.value_type
    return is_string(type_) or is_binary(type_) or bool(types.is_null(type_))


def is_valid(array: pa.Array) -> bool:
    """Whether an array is what its type says: strings are UTF-8."""
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _decoded(array: pa.Array) -> pa.Array:
    raw = array.cast(pa.large_binary()).to_pylist()
    values = [None if value is None else value.decode("utf-8", "replace") for value in raw]
    return pa.array(values, pa.large_string())


def texts(column: pa.ChunkedArray) -> pa.Array:
    """Return a column's texts as one `large_string` array of valid UTF-8; null stays null."""
    array = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if is_binary(array.type):
        as_strings = array.cast(pa.large_binary()).view(pa.large_string())
        return as_strings if is_valid(as_strings) else _decoded(array)
    return array.cast(pa.large_string()) if is_valid(array) else _decoded(array)


def bad_rows(column: pa.ChunkedArray) -> list[int]:
    """Return the rows of a column of strings or bytes whose bytes are not UTF-8."""
    if types.is_dictionary(column.type):
        column = pa.chunked_array(
            [chunk.dictionary_decode() for chunk in column.chunks], column.type.value_type
        )
    found, start = [], 0
    for chunk in column.chunks:
        raw = chunk.cast(pa.large_binary())
        if not is_valid(raw.view(pa.large_string())):
            found += [start + row for row, value in enumerate(raw.to_pylist()) if not _is_utf8(value)]
        start += len(chunk)
    return found


def _is_utf8(value: bytes | None) -> bool:
    try:
        return value is None or value.decode() is not None
    except UnicodeDecodeError:
        return False


def clean(table: pa.Table, text: pa.Field) -> pa.Table:
    """Return the table with valid UTF-8 in its text column, where `text` makes strings of it."""
    index = table.schema.get_field_index(text.name)
    if index < 0 or not is_string(text.type):
        return table
    column = table.column(index)
    if column.type == text.type and all(map(is_valid, column.chunks)):
        return table
    return table.set_column(index, text, texts(column).cast(text.type))
