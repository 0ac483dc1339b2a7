"""Check untrusted safetensors: the header before the library reads it, the shapes before torch makes them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open

from core.contract import WEIGHTS_FILE
from core.errors import CheckpointError
from core.untrusted import json_file, limits, regular_file
from core.untrusted.regular_file import RefusedError

Shape = tuple[int, ...]
# As stored, and as read.
_FLOATS = {"F16": ("<f2", np.float32), "F32": ("<f4", np.float32), "F64": ("<f8", np.float64)}

INDEX_FILE = f"{WEIGHTS_FILE}.index.json"
_SHARD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors")
_LENGTH_BYTES = 8
_ITEM_BYTES = dict.fromkeys(("F64", "I64"), 8) | dict.fromkeys(("F32", "I32"), 4)
_ITEM_BYTES |= dict.fromkeys(("F16", "BF16", "I16"), 2) | dict.fromkeys(("U8", "I8", "BOOL"), 1)


class Tensor(NamedTuple):
    """A tensor of a file: safetensors' name of its elements' type, its shape, its elements."""

    dtype: str
    shape: Shape
    data: memoryview


def _check_header(path: Path) -> None:
    """Check that a file holds all of its header, and that this is small and JSON without duplicates."""
    size = regular_file.check_size(path, limits.GRAPH_BYTES, CheckpointError)
    # Not `check`: what archives begin with may be a header's length.
    regular_file.check_pointer(path, CheckpointError)
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if size < _LENGTH_BYTES or length > size - _LENGTH_BYTES:
            raise RefusedError(f"a header of {length:,} bytes in {size:,}")
        if length > limits.WEIGHTS_HEADER_BYTES:
            most = f"expected at most {limits.WEIGHTS_HEADER_BYTES:,}"
            raise CheckpointError(f"{path}: header: found {length:,} bytes, {most}")
        header = json_file.loads(file.read(length), path, CheckpointError, "tensor")
    if not isinstance(header, dict):
        raise RefusedError("its header is no object")


def shapes(path: Path) -> dict[str, Shape]:
    """Return name → shape of the tensors in a safetensors file; their data are not read.

    Raises:
        CheckpointError: truncated, too large, or damaged; tensors overlap or leave gaps.
    """
    problem = "truncated or not safetensors"
    with regular_file.naming(path, CheckpointError, problem, SafetensorError, OSError, ValueError):
        _check_header(path)
        with safe_open(path, framework="np") as weights:
            return {name: tuple(weights.get_slice(name).get_shape()) for name in weights.keys()}  # noqa: SIM118


def _tensor(name: str, stated: object, data: memoryview) -> Tensor:
    with regular_file.naming(name, RefusedError, "", *regular_file.FIELD_ERRORS):
        dtype, shape = stated["dtype"], tuple(stated["shape"])  # type: ignore[index]
        begin, end = stated["data_offsets"]  # type: ignore[index]
        if dtype not in _ITEM_BYTES:
            raise RefusedError(f"found {dtype!r}, expected {', '.join(_ITEM_BYTES)}")
        if any(type(number) is not int or number < 0 for number in (begin, end, *shape)) or end > len(data):
            raise RefusedError(f"found shape {shape} at {begin} to {end} of {len(data):,} bytes")
        if end - begin != math.prod(shape) * _ITEM_BYTES[dtype]:
            raise RefusedError(f"found {end - begin:,} bytes of {dtype} for shape {shape}")
    return Tensor(dtype, shape, data[begin:end])


def _parse(path: Path, content: memoryview) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of a file, which lie side by side and are all of it, and its metadata."""
    length = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    if not _LENGTH_BYTES <= length <= min(len(content), _LENGTH_BYTES + limits.WEIGHTS_HEADER_BYTES):
        raise RefusedError(f"a header of {length:,} bytes in {len(content):,}")
    header = json_file.loads(bytes(content[_LENGTH_BYTES:length]), path, CheckpointError, "tensor")
    metadata = header.pop("__metadata__", None) or {}
    tensors = {name: _tensor(name, stated, content[length:]) for name, stated in header.items()}
    place = 0
    for begin, end in sorted(stated["data_offsets"] for stated in header.values()):
        if begin != place:
            raise RefusedError(f"tensors overlap or leave a gap at {begin:,}")
        place = end
    if place != len(content) - length:
        raise RefusedError(f"tensors of {place:,} bytes in {len(content) - length:,}")
    return tensors, metadata


def load(folder: Path) -> dict[str, Tensor]:
    """Read all tensors of a folder's weights, from the very bytes that are held to their hash.

    Raises:
        CheckpointError: truncated or damaged; not what was hashed.
    """
    found: dict[str, Tensor] = {}
    first, *shards = names(folder)
    for path in [folder / name for name in shards or [first]]:
        content = memoryview(regular_file.read_any(path, limits.GRAPH_BYTES, CheckpointError))
        causes = regular_file.FIELD_ERRORS
        with regular_file.naming(path, CheckpointError, "truncated or not safetensors", *causes):
            found |= _parse(path, content)[0]
    return found


def read_small(path: Path, limit: int) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Read all tensors of a file of at most `limit` bytes, float32 or float64, and its metadata.

    float16 becomes float32, which is exact.

    Raises:
        CheckpointError: as `shapes`; larger, a tensor of another type, or a number that is not finite.
    """
    content = memoryview(regular_file.read_any(path, limit, CheckpointError))
    problem, causes = "truncated or not safetensors", (SafetensorError, OSError, *regular_file.FIELD_ERRORS)
    arrays = {}
    with regular_file.naming(path, CheckpointError, problem, *causes):
        _check_header(path)
        tensors, metadata = _parse(path, content)
        for name, (dtype, shape, data) in tensors.items():
            if dtype not in _FLOATS:
                raise CheckpointError(f"{path}: {name}: found {dtype}, expected {' or '.join(_FLOATS)}")
            stored, made = _FLOATS[dtype]
            arrays[name] = np.frombuffer(data, stored).reshape(shape).astype(made)
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise CheckpointError(f"{path}: {name}: found NaN or infinity")
    return arrays, metadata


def names(folder: Path) -> list[str]:
    """Return the files of a folder's weights: one, or an index and the shards that it names.

    Raises:
        CheckpointError: the index is damaged, or names a file elsewhere.
    """
    index = folder / INDEX_FILE
    if (folder / WEIGHTS_FILE).exists() or not index.exists():
        return [WEIGHTS_FILE]
    return [INDEX_FILE, *sorted(set(_weight_map(index).values()))]


def _weight_map(index: Path) -> dict[str, str]:
    """Return tensor → shard."""
    content = json_file.read_object(index, CheckpointError)
    found = content.get("weight_map")
    if not isinstance(found, dict) or not found:
        raise CheckpointError(f"{index}: weight_map: expected an object of tensors and their files")
    for tensor, name in found.items():
        # No path: transformers would follow it anywhere.
        if not isinstance(name, str) or not _SHARD.fullmatch(name):
            raise CheckpointError(f"{index}: {tensor}: found {name!r}, expected a file of this folder")
    return found


def _stored(folder: Path) -> dict[str, Shape]:
    first, *shards = names(folder)
    if not shards:
        return shapes(folder / first)
    inside = {shard: shapes(folder / shard) for shard in shards}
    stored = {}
    for tensor, shard in _weight_map(folder / first).items():
        if tensor not in inside[shard]:
            raise CheckpointError(f"{folder / shard}: {tensor}: missing, though {INDEX_FILE} has it there")
        stored[tensor] = inside[shard][tensor]
    return stored


def check(folder: Path, expected: Iterable[tuple[str, Shape]], prefix: str) -> None:
    """Check that an encoder's weights have the shapes that its config states.

    torch makes what the config states before it compares, so that a config could ask for any memory.

    Args:
        folder: holds `model.safetensors`, or shards of it and their index.
        expected: names and shapes, by the config.
        prefix: of the names in a model that has a head.

    Raises:
        CheckpointError: as `shapes` and `names`; a weight is missing or has another shape.
    """
    stored, place = _stored(folder), folder / names(folder)[0]
    for name, wanted in expected:
        shape = stored.get(name, stored.get(prefix + name))
        if shape != wanted:
            raise CheckpointError(f"{place}: {name}: found shape {shape}, expected {wanted} by config.json")
