"""GELU in standard operators: the same numbers, and what onnxruntime makes of them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator

from core.errors import GraphError
from graphs.edit import ops
from graphs.finish import standard


def model():
    given = ir.val("x", ir.DataType.FLOAT, ["n"])
    node = ops.node("Gelu", [given], "gelu", domain=ops.MICROSOFT)
    last = ops.node("Neg", [node.outputs[0]], "negative")
    found = ops.typed(last.outputs[0], ir.DataType.FLOAT, ["n"])
    graph = ir.Graph([given], [found], nodes=[node, last], opset_imports={"": 18, ops.MICROSOFT: 1}, name="g")
    return ir.Model(graph, ir_version=10)


def test_it_is_gelu_to_the_bit_in_onnxruntime_and_to_rounding_elsewhere(tmp_path):
    ours, theirs = model(), model()
    assert standard.standard(ours) == 1
    assert [node.op_type for node in ours.graph] == ["Div", "Erf", "Add", "Mul", "Mul", "Neg"]
    assert "com.microsoft" not in ours.opset_imports
    x = np.concatenate([np.linspace(-30, 30, 2001), [0, -0.0, 1e-30, -1e-30]]).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    proto = ir.to_proto(ours)
    (found,) = onnxruntime.InferenceSession(proto.SerializeToString(), options).run(None, {"x": x})
    (expected,) = onnxruntime.InferenceSession(ir.to_proto(theirs).SerializeToString()).run(None, {"x": x})
    np.testing.assert_array_equal(found, expected)
    fused = onnx.load(tmp_path / "optimized.onnx")
    used = Counter((node.domain, node.op_type) for node in fused.graph.node)
    assert used == {("com.microsoft", "Gelu"): 1, ("", "Neg"): 1}
    (alone,) = ReferenceEvaluator(proto).run(None, {"x": x})
    np.testing.assert_allclose(alone, expected, atol=1e-6, rtol=1e-6)


def test_another_operator_of_onnxruntimes_own_is_an_error():
    other = model()
    other.graph.node("gelu").op_type = "QuickGelu"
    with pytest.raises(GraphError, match="found QuickGelu of onnxruntime's own, expected Gelu alone"):
        standard.standard(other)


def test_a_graph_without_one_is_left_alone():
    done = model()
    standard.standard(done)
    before = ir.to_proto(done).SerializeToString()
    assert standard.standard(done) == 0
    assert ir.to_proto(done).SerializeToString() == before
