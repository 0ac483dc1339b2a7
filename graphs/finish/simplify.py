"""Simplify with onnxsim, after fusion: attention is no longer recognised behind it."""

from __future__ import annotations

import sys

import onnx_ir as ir

from core.errors import GraphError

# onnxsim loads torch where there is one, for a quantizer that is not called here: seconds of a build.
_NO_TORCH = "torch" not in sys.modules
if _NO_TORCH:
    sys.modules["torch"] = None  # type: ignore[assignment]
try:
    import onnxsim
finally:
    if _NO_TORCH:
        del sys.modules["torch"]


def _axes(model: ir.Model) -> dict[str, list[str]]:
    values = [*model.graph.inputs, *model.graph.outputs]
    return {str(v.name): [str(dim) for dim in v.shape or ()] for v in values}


def simplify(model: ir.Model) -> int:
    """Run onnxsim in place, which folds constants and drops nodes that change nothing.

    In: a packed graph. Out: the same function of the same inputs and outputs; exact by onnxsim's own check.

    Returns:
        How many nodes are gone.

    Raises:
        GraphError: onnxsim's own check fails, or an axis of an input or output is not what it was.
    """
    simplified, sound = onnxsim.simplify(ir.to_proto(model))
    if not sound:
        raise GraphError("onnxsim: the simplified graph gives other answers than the original")
    result = ir.from_proto(simplified)
    expected, found = _axes(model), _axes(result)
    if found != expected:
        raise GraphError(f"onnxsim: found axes {found}, expected {expected}")
    removed = len(model.graph) - len(result.graph)
    model.graph, model.ir_version = result.graph, result.ir_version
    return removed
