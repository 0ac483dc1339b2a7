"""Check an untrusted ONNX file before anything opens it. Standard library only.

Everything is in the file (no external data, wherever it lies), within the limits, of known operators, and
what tensors state is what they hold. verify/ and score/, which have no onnx package, need no more than this.
"""

from __future__ import annotations

import mmap
from pathlib import Path

from core.errors import ToolchainError
from core.untrusted import limits, regular_file
from core.untrusted.wire import functions, opsets
from core.untrusted.wire.inspection import Inspection, walk
from core.untrusted.wire.operators import Table
from core.untrusted.wire.protobuf import Message, WireError, read

# Where onnxruntime looks for the mark of its own format (a FlatBuffers file identifier) in bytes.
_MARK_PLACE, _MARK = slice(4, 8), b"ORTM"
# Settings of a session that onnxruntime takes from the metadata where ORT_LOAD_CONFIG_FROM_MODEL is 1.
_SESSION_SETTINGS = "ort_config"


def _check_version(model: Message) -> None:
    version = model.get("ir_version", 0)
    if not limits.FIRST_IR <= version <= limits.LAST_IR:
        raise WireError(f"found ir_version {version}, expected {limits.FIRST_IR} to {limits.LAST_IR}")
    graph = model["graph"]
    constants = [tensor.get("name") for tensor in graph["initializer"]]
    inputs = {value.get("name") for value in graph["input"]}
    if version < limits.FREE_CONSTANTS_IR and not inputs.issuperset(constants):
        (name, *_) = [name for name in constants if name not in inputs]
        raise WireError(f"initializer {name!r} is no input, as ir_version {version} wants it")


def _check_model(model: Message, table: Table) -> None:
    if "graph" not in model:
        raise WireError("has no graph")
    _check_version(model)
    keys = [entry.get("key") for entry in model["metadata_props"]]
    if len(set(keys)) != len(keys):
        raise WireError("a duplicate key of its metadata")
    if _SESSION_SETTINGS in keys:
        raise WireError(f"its metadata hold {_SESSION_SETTINGS!r}, settings of onnxruntime")
    versions = opsets.versions_of(model["opset_import"])
    accepted = {*table, *(function.get("domain", "") for function in model["functions"])}
    if versions.keys() - accepted:
        raise WireError(f"operators of {min(versions.keys() - accepted)!r} are not accepted")
    inspection = Inspection(table, versions)
    functions.check(model["functions"], inspection)
    walk(model["graph"], None, inspection)


def check_bytes(
    data: bytes | memoryview, place: object, table: Table, error: type[ToolchainError]
) -> Message:
    """Check an ONNX model.

    Returns:
        The model, as `protobuf.read` does.

    Raises:
        error: not an ONNX model, or not one that is accepted; the message begins with `place`.
    """
    with (
        regular_file.naming(place, error, "refused", regular_file.RefusedError),
        regular_file.naming(place, error, "not an ONNX file", WireError),
    ):
        if data[_MARK_PLACE] == _MARK:
            raise WireError(f"{_MARK.decode()} at byte 4 marks onnxruntime's own format")
        model = read(data)
    with regular_file.naming(place, error, "refused", WireError):
        _check_model(model, table)
    return model


def check(path: Path, table: Table, error: type[ToolchainError], limit: int = limits.GRAPH_BYTES) -> Message:
    """Check an ONNX file of at most `limit` bytes; its weights are not read.

    Args:
        table: the operators that it may use.

    Returns:
        The model, as `protobuf.read` does.

    Raises:
        error: it is missing, too large, an archive, not ONNX, or not a model that is accepted.
    """
    regular_file.check(path, limit, error)
    with regular_file.naming(path, error, "not an ONNX file", OSError, ValueError), path.open("rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    return check_bytes(data, path, table, error)
