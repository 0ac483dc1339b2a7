"""Rows as they come: which operators read three dimensions, which two, and that the answers stay."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from graphs.edit import ops
from graphs.unpadded import rows
from tests.support.graphs import session_of

WIDTH = 4


def graph_of(op_types: list[str]) -> ir.Model:
    """`x [b, s, 4]` → rows → the operators one after the other → rows → `[b, s, 4]`."""
    x, lead = ir.val("x"), ir.val("lead")
    ops.typed(x, ir.DataType.FLOAT, ["b", "s", WIDTH])
    ops.typed(lead, ir.DataType.INT64, [3])
    graph = ir.Graph([x, lead], [], nodes=[], opset_imports={"": 20}, name="rows")
    random = np.random.default_rng(0)

    def constant(*shape: int) -> ir.Value:
        return ops.constant(graph, "c", random.normal(size=shape).astype(np.float32))

    first = ops.node("Mul", [x, constant(WIDTH)], "first")
    graph.append(first)
    value = first.outputs[0]
    for number, op_type in enumerate(op_types):
        others = {
            "Add": lambda before: [before, constant(WIDTH)],
            "Sum of both": lambda before: [before, first.outputs[0]],
            "LayerNormalization": lambda before: [before, constant(WIDTH), constant(WIDTH)],
            "Gemm": lambda before: [before, constant(WIDTH, WIDTH), constant(WIDTH)],
        }[op_type](value)
        attributes = {"epsilon": 1e-12} if op_type == "LayerNormalization" else {}
        kind = "Add" if op_type == "Sum of both" else op_type
        made = ops.node(kind, others, f"step_{number}", attributes=attributes)
        graph.append(made)
        value = made.outputs[0]
    last = ops.node("Reshape", [value, lead], "laid_out")
    # What reads rows on purpose.
    axis = ops.constant(graph, "axis", np.array([1], np.int64))
    largest = ops.node("ReduceMax", [last.outputs[0], axis], "largest", attributes={"keepdims": 0})
    graph.extend([last, largest])
    ops.typed(largest.outputs[0], ir.DataType.FLOAT, ["b", WIDTH])
    graph.outputs.append(largest.outputs[0])
    return ir.Model(graph, ir_version=10)


def expected(model: ir.Model, x: np.ndarray) -> np.ndarray:
    """The same graph read on `[b s, 4]`, as it was made for."""
    flat = x.reshape(1, -1, WIDTH)
    lead = np.array([*x.shape[:2], -1], np.int64)
    first = model.graph.node("first")
    two = ops.node("Flatten", [model.graph.inputs[0]], "two", attributes={"axis": 2})
    model.graph.insert_before(first, two)
    first.replace_input_with(0, two.outputs[0])
    return session_of(model).run(None, {"x": flat, "lead": lead})[0]


@pytest.mark.parametrize(
    ("op_types", "flattened", "laid_out"),
    [
        (["Add", "LayerNormalization", "Sum of both"], 0, 0),
        (["Add", "Gemm"], 1, 1),
        (["Gemm", "Sum of both"], 1, 1),
        (["Gemm", "Add", "Gemm", "Sum of both"], 1, 1),
        (["Sum of both", "Gemm", "Sum of both", "Gemm", "Sum of both"], 2, 2),
    ],
)
def test_rows_are_flattened_only_for_what_has_two_dimensions(op_types, flattened, laid_out):
    x = np.random.default_rng(1).normal(size=(3, 5, WIDTH)).astype(np.float32)
    wanted = expected(graph_of(op_types), x)
    model = graph_of(op_types)
    first, lead = model.graph.node("first"), model.graph.inputs[1]
    rows.keep(model.graph, set(first.outputs), lead, lead, lead)
    ops.remove_unused(model)
    assert len(ops.nodes_of(model.graph, "Flatten")) == flattened
    assert len(ops.nodes_of(model.graph, "Reshape")) == laid_out
    found = session_of(model).run(None, {"x": x, "lead": np.array([3, 5, -1], np.int64)})[0]
    np.testing.assert_array_equal(found, wanted)
