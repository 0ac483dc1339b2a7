"""Standard operators: GELU as its formula, for engines that know no operators of onnxruntime's."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from core.errors import GraphError
from graphs.edit import ops


def _float(graph: ir.Graph, name: str, value: float) -> ir.Value:
    return ops.constant(graph, name, np.array(value, np.float32))


def standard(model: ir.Model) -> int:
    """Replace `Gelu` (com.microsoft), the last operator of a float32 graph that ONNX does not have.

    In: `Gelu(x)`. Out: `Div(x, √2)`, `Erf`, `Add(…, 1)`, `Mul(x, …)`, `Mul(…, 0.5)`. Exact up to
    rounding, and in onnxruntime to the bit: it fuses this form to its own `Gelu` when it loads the graph.

    Returns:
        How many were replaced.

    Raises:
        GraphError: another operator of onnxruntime's own is left.
    """
    graph = model.graph
    gelus = ops.nodes_of(graph, "Gelu")
    for gelu in gelus:
        given = gelu.inputs[0]
        scaled = ops.node(
            "Div", [given, _float(graph, "standard_root_of_2", np.sqrt(2))], f"{gelu.name}_scaled"
        )
        error = ops.node("Erf", [scaled.outputs[0]], f"{gelu.name}_erf")
        risen = ops.node("Add", [error.outputs[0], _float(graph, "standard_one", 1)], f"{gelu.name}_risen")
        product = ops.node("Mul", [given, risen.outputs[0]], f"{gelu.name}_product")
        half = ops.node("Mul", [product.outputs[0], _float(graph, "standard_half", 0.5)], f"{gelu.name}_half")
        graph.insert_before(gelu, [scaled, error, risen, product, half])
        gelu.outputs[0].replace_all_uses_with(half.outputs[0])
        graph.remove(gelu, safe=True)
    left = sorted({node.op_type for node in graph.all_nodes() if node.domain == ops.MICROSOFT})
    if left:
        raise GraphError(f"found {', '.join(left)} of onnxruntime's own, expected Gelu alone")
    model.opset_imports.pop(ops.MICROSOFT, None)
    return len(gelus)
