"""Check that no int8 weight of a graph can saturate on a CPU without VNNI."""

from __future__ import annotations

import onnx_ir as ir

from core import pairs
from core.errors import GraphError
from core.untrusted.wire.operators import INTEGER_WEIGHTS, STANDARD
from graphs.edit import names

_WEIGHTS = (ir.DataType.INT8, ir.DataType.UINT8)


def _weight(node: ir.Node) -> ir.Value | None:
    """Return what a product of integers reads as its weight; None of another node.

    Raises:
        GraphError: onnxruntime may make such a product of it that has its weight elsewhere.
    """
    key = ("" if node.domain in STANDARD else node.domain, node.op_type)
    if key in INTEGER_WEIGHTS:
        return node.inputs[INTEGER_WEIGHTS[key]]
    if key == ("", "DequantizeLinear"):
        made = node.inputs[0].producer() if node.inputs[0] else None
        if made is None or made.op_type != "QuantizeLinear":
            raise GraphError(
                f"node {node.name}: found DequantizeLinear of stored integers, which onnxruntime may join "
                "with a product; expected a product of integers itself"
            )
    return None


def check(model: ir.Model) -> int:
    """Check the weights of all products of integers, in branches as well.

    A head that stays a graph is left out: its products are its own. So are u8 weights, which kernels widen
    before they multiply.

    Returns:
        The number of weights s8 that are pair-safe.

    Raises:
        GraphError: two integers can saturate, or a weight is no constant s8 or u8 `[k, n]`.
    """
    checked: set[ir.Value] = set()
    for node in model.graph.all_nodes():
        if names.in_head(node) or (value := _weight(node)) is None or value in checked:
            continue
        tensor, place = value.const_value, f"weight {value.name} of node {node.name}"
        if tensor is None or value.is_graph_input() or tensor.dtype not in _WEIGHTS or len(tensor.shape) != 2:
            found = "a computed value" if tensor is None else f"{tensor.dtype} {tensor.shape}"
            raise GraphError(f"{place}: found {found}, expected a constant s8 [k, n], or u8")
        if tensor.dtype == ir.DataType.UINT8:
            continue
        if sentence := pairs.sentence(tensor.numpy()):
            raise GraphError(f"{place}: {sentence}")
        checked.add(value)
    return len(checked)
