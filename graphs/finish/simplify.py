"""Simplifying with onnxsim, after fusion: attention is no longer recognised behind it."""

from __future__ import annotations

import onnx_ir as ir
import onnxsim

from core.errors import GraphError


def _axes(values: list[ir.Value]) -> dict[str, list[str]]:
    return {str(v.name): [str(dim) for dim in v.shape or ()] for v in values}


def simplify(model: ir.Model) -> tuple[ir.Model, int]:
    """Run onnxsim.

    Returns:
        The simplified model, and how many nodes are gone.

    Raises:
        GraphError: onnxsim's own check fails, or an axis of an input or output is not what it was.
    """
    simplified, sound = onnxsim.simplify(ir.to_proto(model))
    if not sound:
        raise GraphError("onnxsim: the simplified graph gives other answers than the original")
    result = ir.from_proto(simplified)
    for before, after in (
        (model.graph.inputs, result.graph.inputs),
        (model.graph.outputs, result.graph.outputs),
    ):
        expected, found = _axes(list(before)), _axes(list(after))
        if found != expected:
            raise GraphError(f"onnxsim: found axes {found}, expected {expected}")
    return result, len(model.graph) - len(result.graph)
