"""Keep rows as they come: token-wise operators on `[b, s, k]`, without a `Reshape` around attention."""

from __future__ import annotations

import onnx_ir as ir

from graphs.edit import ops
from graphs.edit.chain import Chain
from graphs.int8 import instance

# Of these, each row of the result follows from the same row of what is read.
TOKEN_WISE = frozenset(
    "Add DequantizeLinear Gelu LayerNormalization MatMulIntegerToFloat Mul QuantizeLinear Sub".split()
)


class _Rows:
    """Holds what is `[b, s, k]`, and the other form of what some operator needs otherwise."""

    def __init__(self, graph: ir.Graph, kept: set[ir.Value], shape: ir.Value) -> None:
        self._graph, self.kept, self._shape = graph, kept, shape
        self._other: dict[tuple[ir.Value, str], ir.Value] = {}

    def flat(self, reader: ir.Node, value: ir.Value) -> ir.Value:
        """Return it as `[b s, k]`."""
        if (value, "flat") not in self._other:
            chain = Chain(self._graph, reader)
            self._other[value, "flat"] = chain.add("Flatten", [value], f"{value.name}_flat", axis=2)
        return self._other[value, "flat"]

    def apart(self, reader: ir.Node, value: ir.Value) -> ir.Value:
        """Return it as `[b, s, k]`."""
        if (value, "rows") not in self._other:
            chain = Chain(self._graph, reader)
            self._other[value, "rows"] = chain.add("Reshape", [value, self._shape], f"{value.name}_rows")
            self.kept.add(self._other[value, "rows"])
        return self._other[value, "rows"]


def keep(graph: ir.Graph, given: set[ir.Value], row_shape: ir.Value, ones: ir.Value, zeros: ir.Value) -> None:
    """Let token-wise operators read rows as they are, in place; `[b s, k]` only where an operator needs it.

    In: a sorted graph in which `given`, `[b, s, k]`, come to operators that were made for `[b s, k]`.
    Out: these have `[b, s, k]` too; what must have two dimensions (`Gemm`, operators along one axis) reads
    a `Flatten`; `QAttention` reads three dimensions always. Exact.

    Args:
        graph: the graph.
        given: the values that are `[b, s, k]` at first.
        row_shape: int64 `[3]`, b, s and -1.
        ones: float32 `[s]`, and
        zeros: float32 `[s]`: the scale and the offset of what `instance` made.
    """
    rows = _Rows(graph, given, row_shape)
    laid_out: set[ir.Node] = set()
    for node in list(graph):
        inputs = [value for value in node.inputs if value in rows.kept]
        if node.op_type == "Reshape":
            if inputs and node.inputs[1] is row_shape:
                laid_out |= {use.node for use in node.outputs[0].uses()}
                node.outputs[0].replace_all_uses_with(inputs[0])
        elif node.op_type == "Unsqueeze" and inputs:
            normalized = instance.of_rows(node, inputs[0], ones, zeros)
            laid_out.add(normalized)
            rows.kept.add(normalized.outputs[0])
        elif node.op_type == "QAttention":
            if not inputs:
                node.replace_input_with(0, rows.apart(node, ops.read(node)))
            rows.kept.add(node.outputs[0])
        elif node.op_type in TOKEN_WISE and inputs:
            for index, value in enumerate(node.inputs):
                if value is not None and value.producer() is not None and value not in rows.kept:
                    node.replace_input_with(index, rows.apart(node, value))
            rows.kept.add(node.outputs[0])
        elif node not in laid_out:
            for index, value in enumerate(node.inputs):
                if value is not None and value in rows.kept:
                    node.replace_input_with(index, rows.flat(node, value))
