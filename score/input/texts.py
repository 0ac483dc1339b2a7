"""Read columns of text as they come: strings, bytes, dictionaries, nulls, bytes that are not UTF-8.

Bytes that are not UTF-8 read as U+FFFD, the replacement character, here and in every kind of file.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as types


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


def _decoded(array: pa.Array) -> pa.Array:
    raw = array.cast(pa.large_binary()).to_pylist()
    values = [None if value is None else value.decode("utf-8", "replace") for value in raw]
    return pa.array(values, pa.large_string())


def _valid(array: pa.Array) -> bool:
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def texts(column: pa.ChunkedArray) -> pa.Array:
    """Return a column's texts as one `large_string` array of valid UTF-8; null stays null."""
    array = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if is_binary(array.type):
        return _decoded(array)
    return array.cast(pa.large_string()) if _valid(array) else _decoded(array)


def clean(table: pa.Table) -> pa.Table:
    """Return the table with every string column valid UTF-8, as its type says."""
    for index, field in enumerate(table.schema):
        column = table.column(index)
        if is_string(field.type) and not all(_valid(chunk) for chunk in column.chunks):
            table = table.set_column(index, field, texts(column).cast(field.type))
    return table
