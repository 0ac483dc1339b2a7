"""Add a plan's change to a linear head's weights and bias: of int8 alone, fp32 keeps the published head."""

from __future__ import annotations

import re

import numpy as np
import onnx_ir as ir

from core.build.head_change import HeadChange
from core.contract import LOGITS
from core.errors import GraphError
from graphs.edit import names, ops

_PROJECTION = re.compile(names.PROJECTION.format(r"\d+"))


def products(graph: ir.Graph) -> list[ir.Node]:
    """Return the products of a linear head: of tokens, whose mean is taken after it, and of features.

    None where the head is not linear, as it is merged. The first adds the bias.
    """
    found = [node for node in graph if node.op_type == "Gemm" and _PROJECTION.fullmatch(str(node.name))]
    for name in (LOGITS, names.LOGIT_PAIRS):
        last = names.find(graph, name)
        if last is not None and last.op_type == "Gemm" and ops.read(last, 1).is_initializer():
            found.append(last)
    return found


def change(model: ir.Model, made: HeadChange | None) -> int:
    """Add a change to a head, in place, before channels are moved.

    In: a packed graph in float32. Out: the same nodes. Under the per-label contract each column of the
    change is two of the graph, the first with the other sign.

    Returns:
        How many products the head has; 0 where there is no change.

    Raises:
        GraphError: the head is not linear, or not as wide.
    """
    if made is None:
        return 0
    graph, heads = model.graph, products(model.graph)
    weight_fo, bias_o = made.weight, made.bias_l
    if any(value.name == names.LOGIT_PAIRS for node in graph for value in node.outputs):
        signs = np.tile(np.array([-1, 1], np.float32), len(bias_o))
        weight_fo, bias_o = np.repeat(weight_fo, 2, axis=1) * signs, np.repeat(bias_o, 2) * signs
    widths = [len(ops.array(node, 1)) for node in heads]
    columns = {ops.array(node, 1).shape[1] for node in heads}
    if sum(widths) != len(weight_fo) or columns != {len(bias_o)}:
        found = f"found {sum(widths)} features and {sorted(columns)} columns in a linear head of the graph"
        raise GraphError(f"plan: head: {found}, expected {len(weight_fo)} and {len(bias_o)}")
    parts = np.split(weight_fo, np.cumsum(widths)[:-1])
    for number, (node, part) in enumerate(zip(heads, parts, strict=True)):
        ops.set_array(graph, node, 1, ops.array(node, 1) + part)
        if not number:
            ops.set_array(graph, node, 2, ops.array(node, 2) + bias_o)
    return len(heads)
