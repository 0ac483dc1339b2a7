"""Replace GELU by its formula in standard operators, for engines that know none of onnxruntime's."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from core.errors import GraphError
from graphs.edit import ops
from graphs.edit.chain import Chain


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
    gelus, constants = ops.nodes_of(graph, "Gelu"), Chain(graph, None, "standard")
    for gelu in gelus:
        chain, x = Chain(graph, gelu, str(gelu.name)), gelu.inputs[0]
        scaled = chain.add("Div", [x, constants.floats("root_of_2", np.sqrt(2))], "scaled")
        error = chain.add("Erf", [scaled], "erf")
        risen = chain.add("Add", [error, constants.floats("one", 1)], "risen")
        product = chain.add("Mul", [x, risen], "product")
        half = chain.add("Mul", [product, constants.floats("half", 0.5)], "half")
        gelu.outputs[0].replace_all_uses_with(half)
        graph.remove(gelu, safe=True)
    left = sorted({node.op_type for node in graph.all_nodes() if node.domain == ops.MICROSOFT})
    if left:
        raise GraphError(f"found {', '.join(left)} of onnxruntime's own, expected Gelu alone")
    model.opset_imports.pop(ops.MICROSOFT, None)
    return len(gelus)
