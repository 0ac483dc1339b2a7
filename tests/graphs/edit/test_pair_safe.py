"""No weight that saturates passes unseen: in branches, of each operator, computed or dequantized."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from core.errors import GraphError
from core.untrusted.wire.operators import INTEGER_WEIGHTS, MICROSOFT
from graphs.edit import ops, pair_safe

SAFE = np.array([[64, -127], [64, 127], [0, 3], [-128, 9], [127, 127]], np.int8)


def unsafe(row, column, first, second, dtype=np.int8):
    weight = SAFE.astype(dtype)
    weight[row : row + 2, column] = first, second
    return weight


def graph_of(weight, operator=(MICROSOFT, "MatMulIntegerToFloat"), name="product"):
    """A graph of one product, whose weight is a constant (an array) or what a node computes."""
    entry = ir.val("x", ir.DataType.UINT8, ["n", 5])
    graph = ir.Graph([entry], [], nodes=[], opset_imports={"": 18, MICROSOFT: 1})
    if isinstance(weight, np.ndarray):
        weight = ops.constant(graph, "weight_s8", weight)
    domain, op_type = operator
    inputs = [entry] * INTEGER_WEIGHTS[operator] + [weight]
    graph.append(ops.node(op_type, inputs, name, domain=domain))
    return ir.Model(graph, ir_version=10)


@pytest.mark.parametrize("operator", INTEGER_WEIGHTS)
def test_an_unsafe_pair_is_refused_by_name(operator):
    assert pair_safe.check(graph_of(SAFE, operator)) == 1
    said = (
        r"^weight weight_s8 of node product: column 1, rows 2 and 3: found -100 and -29, expected integers "
        r"of one sign to add up to 128 at most; 1 of its 4 pairs can saturate on CPUs without VNNI$"
    )
    with pytest.raises(GraphError, match=said):
        pair_safe.check(graph_of(unsafe(2, 1, -100, -29), operator))


def test_a_branch_that_reads_an_outer_weight_is_seen():
    model = graph_of(unsafe(0, 0, 127, 2))
    graph = model.graph
    (product,) = list(graph)
    graph.remove(product)
    branches = {
        "then_branch": ir.Graph([], [], nodes=[], name="then"),
        "else_branch": ir.Graph([], list(product.outputs), nodes=[product], name="else"),
    }
    condition = ops.constant(graph, "condition", np.array(True))
    graph.append(ops.node("If", [condition], "either", attributes=branches))
    with pytest.raises(GraphError, match=r"weight_s8 of .*: column 0, rows 0 and 1: found 127 and 2"):
        pair_safe.check(model)


def computed(model, op_type, array):
    """What a node makes of a constant, in a graph before its product."""
    made = ops.node(op_type, [ops.constant(model.graph, "stored", array)], "made")
    model.graph.insert_before(model.graph[0], made)
    return made.outputs[0]


def test_a_weight_that_is_computed_or_of_another_kind_is_refused():
    model = graph_of(SAFE)
    model.graph[0].replace_input_with(1, computed(model, "Transpose", SAFE.T.copy()))
    with pytest.raises(GraphError, match="weight made of node product: found a computed value, expected a"):
        pair_safe.check(model)
    for other in (SAFE.astype(np.int32), SAFE[None]):
        with pytest.raises(GraphError, match="expected a constant s8"):
            pair_safe.check(graph_of(other))
    model = graph_of(SAFE)
    model.graph.inputs.append(model.graph[0].inputs[1])
    with pytest.raises(GraphError, match="expected a constant s8"):
        pair_safe.check(model)


def test_stored_integers_that_are_dequantized_are_refused():
    model = graph_of(SAFE)
    computed(model, "DequantizeLinear", unsafe(0, 0, 127, 127))
    with pytest.raises(GraphError, match="node made: found DequantizeLinear of stored integers"):
        pair_safe.check(model)
    # What keeps an activation's first term.
    model = graph_of(SAFE)
    node = ops.node("DequantizeLinear", [computed(model, "QuantizeLinear", np.ones(5, np.float32))], "kept")
    model.graph.append(node)
    assert pair_safe.check(model) == 1


def test_u8_weights_and_a_heads_own_are_left_out():
    assert pair_safe.check(graph_of(unsafe(0, 0, 255, 255, np.uint8))) == 0
    for name in ("head/3_MatMulInteger", "unpadded_head/3_MatMulInteger"):
        assert pair_safe.check(graph_of(unsafe(0, 0, 127, 127), ("", "MatMulInteger"), name)) == 0
