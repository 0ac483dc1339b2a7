"""Checking a stranger's ONNX file before anything opens it. Standard library only.

Everything is in the file (no external data, wherever it lies), within the limits, of known operators, and
what tensors state is what they hold. verify/ and score/, which have no onnx package, need no more than this.
"""

from __future__ import annotations

import mmap
from pathlib import Path

from core.errors import ToolchainError
from core.untrusted import limits, regular_file
from core.untrusted.wire.inspection import Inspection, walk, walk_nodes
from core.untrusted.wire.operators import Table
from core.untrusted.wire.protobuf import Message, WireError, read


def _check_functions(model: Message, seen: Inspection) -> None:
    """Check local functions, those that call no unchecked one first."""
    waiting = {(f.get("domain", ""), f.get("name", "")): f for f in model["functions"]}
    if len(waiting) != len(model["functions"]):
        raise WireError("a function is there twice")
    while waiting:
        ready = [key for key, function in waiting.items() if not _calls(function) & set(waiting)]
        if not ready:
            raise WireError(f"functions call each other: {', '.join(name for _, name in sorted(waiting))}")
        for key in ready:
            function = waiting.pop(key)
            inside = Inspection(seen.table, seen.functions)
            try:
                walk_nodes(function["node"], set(function["input"]), {}, inside, 0)
            except WireError as error:
                raise WireError(f"function {key[1]!r}: {error}") from error
            seen.functions[key] = inside.nodes


def _calls(function: Message) -> set[tuple[str, str]]:
    """Return domain and name of all operators in a function, and in all graphs inside it."""
    found, pending = set(), [function]
    while pending:
        nodes = pending.pop()["node"]
        found |= {(node.get("domain", ""), node.get("op_type", "")) for node in nodes}
        for attribute in [attribute for node in nodes for attribute in node["attribute"]]:
            pending += [*([attribute["g"]] if "g" in attribute else []), *attribute["graphs"]]
    return found


def _check_opsets(listed: list[Message], table: Table) -> None:
    for opset in listed:
        if opset.get("domain", "") not in table:
            raise WireError(f"operators of {opset['domain']!r} are not accepted")


def _check_model(model: Message, table: Table) -> None:
    if "graph" not in model:
        raise WireError("has no graph")
    if model["training_info"]:
        raise WireError("holds a training graph")
    keys = [entry.get("key") for entry in model["metadata_props"]]
    if len(set(keys)) != len(keys):
        raise WireError("a key of its metadata is there twice")
    functions = {function.get("domain", "") for function in model["functions"]}
    seen = Inspection(table)
    _check_opsets([o for o in model["opset_import"] if o.get("domain", "") not in functions], table)
    _check_functions(model, seen)
    walk(model["graph"], set(), seen)


def check_bytes(
    data: bytes | memoryview, place: object, table: Table, error: type[ToolchainError]
) -> Message:
    """Check an ONNX model.

    Returns:
        It, as `onnx_wire.read` does.

    Raises:
        error: not an ONNX model, or not one that is accepted; the message begins with `place`.
    """
    try:
        model = read(data)
    except WireError as cause:
        raise error(f"{place}: not an ONNX file: {cause}") from cause
    try:
        _check_model(model, table)
    except WireError as cause:
        raise error(f"{place}: refused: {cause}") from cause
    return model


def check(path: Path, table: Table, limit: int, error: type[ToolchainError]) -> Message:
    """Check an ONNX file of at most `limit` bytes; its weights are not read.

    Args:
        table: the operators that it may use.

    Returns:
        The model, as `onnx_wire.read` does.

    Raises:
        error: it is missing, too large, an archive, not ONNX, or not a model that is accepted.
    """
    regular_file.check(path, limit, error)
    try:
        with path.open("rb") as file:
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as cause:
        raise error(f"{path}: not an ONNX file: {cause}") from cause
    return check_bytes(data, path, table, error)


def check_graph(path: Path, table: Table, error: type[ToolchainError]) -> Message:
    """Check a graph of the toolchain's own making, or what claims to be one; see `check`."""
    return check(path, table, limits.GRAPH_BYTES, error)
