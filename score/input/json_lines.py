"""Read JSON Lines, one object a line; dates stay the strings they are."""

from __future__ import annotations

import io
import json as plain_json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.types as types
from pyarrow import json

from core.errors import ScoreError

_BLOCK_BYTES = 4 << 20


def _blocks(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield whole lines of about a block, and how many lines came before them."""
    with path.open("rb") as file:
        before = 0
        while lines := file.readlines(_BLOCK_BYTES):
            yield before, b"".join(lines).decode("utf-8", "replace").encode()
            before += len(lines)


def _repaired(path: Path, before: int, block: bytes) -> bytes:
    """Return a block with halves of surrogate pairs replaced, which Python reads and pyarrow does not."""
    lines = []
    for number, line in enumerate(block.split(b"\n"), before + 1):
        if not line.strip():
            continue
        try:
            row = plain_json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ScoreError(f"{path}, line {number}: found {line[:60]!r}, expected JSON: {error}") from error
        if not isinstance(row, dict):
            raise ScoreError(f"{path}, line {number}: found {line[:60]!r}, expected an object")
        text = plain_json.dumps(row, ensure_ascii=False)
        lines.append(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode())
    return b"\n".join(lines)


@contextmanager
def _one_type_a_field(path: Path, before: int) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ScoreError(f"{path}, lines from {before + 1}: a field changes its type: {error}") from error


def _parse(block: bytes, schema: pa.Schema | None) -> pa.Table:
    options = json.ReadOptions(use_threads=False, block_size=len(block) + 1)
    parse = json.ParseOptions(explicit_schema=schema, newlines_in_values=False)
    return json.read_json(io.BytesIO(block), options, parse)


def _read(path: Path, before: int, block: bytes, schema: pa.Schema | None) -> pa.Table:
    if not block.strip():
        return (schema or pa.schema([])).empty_table()
    try:
        return _parse(block, schema)
    except pa.ArrowInvalid:
        repaired = _repaired(path, before, block)
    with _one_type_a_field(path, before):
        return _parse(repaired, schema)


def _without_dates(type_: pa.DataType) -> pa.DataType:
    """Return the type with strings where pyarrow guessed timestamps."""
    if types.is_timestamp(type_):
        return pa.string()
    if types.is_list(type_):
        return pa.list_(_without_dates(type_.value_type))
    if types.is_struct(type_):
        return pa.struct([(field.name, _without_dates(field.type)) for field in type_])
    return type_


def look(path: Path) -> tuple[pa.Schema, int]:
    """Return the schema that every line fits, and the number of rows."""
    schema, rows = pa.schema([]), 0
    for before, block in _blocks(path):
        table = _read(path, before, block, None)
        rows += len(table)
        own = pa.schema([(field.name, _without_dates(field.type)) for field in table.schema])
        with _one_type_a_field(path, before):
            schema = pa.unify_schemas([schema, own], promote_options="permissive")
    return schema, rows


def tables(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the rows, a block of the file at a time; fields as the schema has them."""
    for before, block in _blocks(path):
        yield _read(path, before, block, schema)
