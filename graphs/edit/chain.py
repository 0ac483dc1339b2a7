"""Add small nodes at one place of a graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from graphs.edit import ops


class Chain:
    """Adds nodes and constants at one place of a graph, each called `prefix_…` where there is a prefix."""

    def __init__(self, graph: ir.Graph, before: ir.Node | None = None, prefix: str = "") -> None:
        """Insert before a node (None: at the end), with names that begin with `prefix`."""
        self.graph, self.before, self.prefix = graph, before, prefix

    def _full(self, name: str) -> str:
        return f"{self.prefix}_{name}" if self.prefix else name

    def constant(self, name: str, array: np.ndarray) -> ir.Value:
        """Register a constant."""
        return ops.constant(self.graph, self._full(name), array)

    def integers(self, name: str, value: object) -> ir.Value:
        """Register an int64 constant, of the rank that `value` has."""
        return self.constant(name, np.array(value, np.int64))

    def floats(self, name: str, value: object) -> ir.Value:
        """Register a float32 constant, of the rank that `value` has."""
        return self.constant(name, np.array(value, np.float32))

    def add(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        name: str,
        domain: str = "",
        **attributes: ops.Attribute,
    ) -> ir.Value:
        """Insert a node and return its output."""
        return self.insert(ops.node(op_type, inputs, self._full(name), attributes=attributes, domain=domain))

    def several(
        self, op_type: str, inputs: Sequence[ir.Value], name: str, outputs: int, **attributes: ops.Attribute
    ) -> list[ir.Value]:
        """Insert a node of several outputs and return them."""
        made = ops.node(op_type, inputs, self._full(name), attributes=attributes, outputs=outputs)
        self.insert(made)
        return list(made.outputs)

    def int32s(self, name: str, value: object) -> ir.Value:
        """Register an int32 constant, of the rank that `value` has."""
        return self.constant(name, np.array(value, np.int32))

    def cast(self, value: ir.Value, dtype: ir.DataType, name: str) -> ir.Value:
        """Insert a `Cast` and return its output."""
        return self.add("Cast", [value], name, to=dtype)

    def take(self, table: ir.Value, index: ir.Value, name: str) -> ir.Value:
        """Insert a look-up of a vector's elements: many times as fast as a `Gather` of numbers."""
        return self.add("GatherElements", [table, index], name, axis=0)

    def indices(self, chosen: ir.Value, axis_0: ir.Value, name: str, row_name: str) -> ir.Value:
        """Insert what finds the true elements of a vector; int64 `[n]`. `axis_0` is the constant `[0]`."""
        return self.add("Squeeze", [self.add("NonZero", [chosen], row_name), axis_0], name)

    def insert(self, made: ir.Node) -> ir.Value:
        """Insert a node that is made already, and return its first output."""
        if self.before is None:
            self.graph.append(made)
        else:
            self.graph.insert_before(self.before, made)
        return made.outputs[0]
