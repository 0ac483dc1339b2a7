"""Share constants of equal content between a graph and the nodes that it takes over from another."""

from __future__ import annotations

import hashlib

import onnx_ir as ir

from graphs.edit import ops

Key = tuple[str, tuple[int, ...], bytes]


def _key(value: ir.Value) -> Key:
    array = ops.array_of(value)
    return str(array.dtype), array.shape, hashlib.sha256(array.tobytes()).digest()


class Constants:
    """Holds a graph's constants by their content."""

    def __init__(self, graph: ir.Graph) -> None:
        """Take all of a graph; of equal ones the first."""
        self._graph = graph
        self._known: dict[Key, ir.Value] = {}
        for value in graph.initializers.values():
            self._known.setdefault(_key(value), value)

    def of(self, value: ir.Value, prefix: str) -> ir.Value:
        """Return the graph's constant of the same type, shape and bytes; register one where there is none."""
        key = _key(value)
        if key not in self._known:
            self._known[key] = ops.constant(self._graph, f"{prefix}_{value.name}", ops.array_of(value))
        return self._known[key]
