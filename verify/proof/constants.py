"""Read the constants of a graph by the strict reader of untrusted files; `onnx` is not needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import ArtifactError
from core.untrusted import onnx_file
from core.untrusted.regular_file import naming
from core.untrusted.wire import operators
from core.untrusted.wire.protobuf import Message

_FLOAT = 1
# TensorProto.DataType → numpy's name.
_NUMBERS = {_FLOAT: "<f4", 10: "<f2", 11: "<f8"}
_ROWS = 2


def _floats(tensor: Message) -> NDArray[np.float32]:
    if tensor.get("data_type") != _FLOAT:
        raise ValueError(f"found element type {tensor.get('data_type')}, expected float32")
    views = [tensor["raw_data"]] if "raw_data" in tensor else tensor["float_data"]
    return np.frombuffer(b"".join(map(bytes, views)), "<f4")


def _node(graph: Message, output: str) -> Message:
    for node in graph["node"]:
        if output in node["output"]:
            found: Message = node
            return found
    raise ValueError(f"no node computes {output}")


def _compared(graph: Message, output: str, outer: dict[str, Message]) -> Iterator[NDArray[np.float32]]:
    """Yield what each node that computes an output compares with: of an `If`, those in both branches."""
    constants = {**outer, **{tensor.get("name", ""): tensor for tensor in graph["initializer"]}}
    node = _node(graph, output)
    operator, inputs = node.get("op_type", ""), node["input"]
    if operator == "If":
        index = node["output"].index(output)
        for branch in [attribute["g"] for attribute in node["attribute"]]:
            yield from _compared(branch, branch["output"][index].get("name", ""), constants)
        return
    if operator == "And" and len(inputs) == 2:
        # Of a single-label graph: the highest, where it reaches its threshold.
        node = _node(graph, inputs[1])
        operator, inputs = node.get("op_type", ""), node["input"]
    if operator != "GreaterOrEqual" or len(inputs) != 2:
        raise ValueError(f"{output}: found {operator} of {inputs}, expected GreaterOrEqual of two")
    if inputs[1] not in constants:
        raise ValueError(f"{output}: {inputs[1]} is not a constant")
    yield _floats(constants[inputs[1]])


def _graphs(graph: Message) -> Iterator[Message]:
    """Yield a graph and all inside it."""
    yield graph
    for attribute in [attribute for node in graph["node"] for attribute in node["attribute"]]:
        for inside in [*([attribute["g"]] if "g" in attribute else []), *attribute["graphs"]]:
            yield from _graphs(inside)


def _check_finite(graph: Message) -> None:
    """Check weights, one row of which may be read for one token alone; a mask's infinities have no rows."""
    for tensor in [tensor for inside in _graphs(graph) for tensor in inside["initializer"]]:
        number = _NUMBERS.get(tensor.get("data_type", 0))
        if number is None or len(tensor["dims"]) < _ROWS or "raw_data" not in tensor:
            continue
        numbers = np.frombuffer(tensor["raw_data"], number)
        # Both are NaN where any number is, and neither takes memory.
        if numbers.size and not np.isfinite([numbers.min(), numbers.max()]).all():
            raise ValueError(f"initializer {tensor.get('name')!r} holds NaN or infinity")


def named(path: Path, *names: str) -> dict[str, NDArray[np.float32]]:
    """Return float32 constants of a graph, flat, by their names; those that it has.

    Raises:
        ArtifactError: the file is not a graph that is accepted, or one is of another type.
    """
    model = onnx_file.check(path, operators.GRAPH, ArtifactError)
    with naming(path, ArtifactError, "its constants cannot be read", ValueError, IndexError, KeyError):
        listed = [(tensor.get("name", ""), tensor) for tensor in model["graph"]["initializer"]]
        return {name: _floats(tensor) for name, tensor in listed if name in names}
    raise AssertionError


def compared_with(path: Path, output: str) -> NDArray[np.float32]:
    """Return the constant, flat, that the `GreaterOrEqual` nodes of an output compare with.

    Raises:
        ArtifactError: the file is not a graph that is accepted, or has no such node or constant, or
            another one in another branch, or weights that are not finite.
    """
    model = onnx_file.check(path, operators.GRAPH, ArtifactError)
    try:
        _check_finite(model["graph"])
        first, *others = _compared(model["graph"], output, {})
        if any(not np.array_equal(first, other) for other in others):
            raise ValueError(f"{output}: its branches compare with different constants")
        return first
    except (ValueError, IndexError, KeyError) as error:
        raise ArtifactError(f"{path}: its constants cannot be read: {error}") from error
