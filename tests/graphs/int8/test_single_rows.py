"""CLS tokens that attend twice: no value says that it is of one query."""

from __future__ import annotations

import onnx_ir as ir
import onnxruntime

from core import runtime
from graphs import pipeline
from graphs.edit import ops
from graphs.int8 import calibration, quantize, single_rows
from graphs.search import initial_plan
from tests.support.quantization import packed_with_head, random_ids


def test_what_a_value_states_of_its_shape_is_what_it_has(cls):
    model = packed_with_head(cls)
    for step in pipeline.SIMPLIFY:
        step.rewrite(model, None)
    quantize.quantize(
        model,
        initial_plan.initial_plan(model, calibration.calibrate(model, random_ids(cls)), "e" * 64, "h" * 64),
    )
    (context,) = [node for node in model.graph if str(node.name).endswith("_cls_context")]
    assert context.outputs[0].shape is not None
    assert single_rows.single_rows(model) == 1
    assert ops.nodes_of(model.graph, "Concat")
    stated = [value for node in model.graph for value in node.outputs if value.shape is not None]
    model.graph.outputs.extend(value for value in stated if not value.is_graph_output())
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString(), options)
    found = session.run([value.name for value in stated], runtime.feeds(*runtime.pad(random_ids(cls, 3))))
    assert len(stated) > 20
    for value, array in zip(stated, found, strict=True):
        assert len(value.shape) == array.ndim, value.name
        pairs = zip(value.shape, array.shape, strict=True)
        assert all(not isinstance(known, int) or known == length for known, length in pairs), value
