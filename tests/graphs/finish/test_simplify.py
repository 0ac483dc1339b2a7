"""Simplifying keeps axes and answers, or refuses."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from core.errors import GraphError
from graphs.finish import simplify
from graphs.head import merge
from tests.support.commands import python
from tests.support.factories import random_tokens
from tests.support.graphs import linear_head, pooled, run


@pytest.fixture
def merged(mean):
    model = pooled(mean)
    merge.stacked(model, linear_head(["joy", "anger", "neutral"], mean.info.hidden))
    return model


def test_simplify_keeps_the_axes_and_the_answers(merged, mean):
    ids, mask = random_tokens(3, 5, mean.info.vocabulary)
    before = run(merged, ids, mask)
    nodes = len(merged.graph)
    removed = simplify.simplify(merged)
    assert removed == nodes - len(merged.graph)
    for a, b in zip(before, run(merged, ids, mask), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [str(dim) for dim in merged.graph.outputs[0].shape] == ["batch", "3"]


def test_simplify_refuses_a_lost_axis(merged, monkeypatch):
    fixed = ir.to_proto(merged)
    fixed.graph.output[0].type.tensor_type.shape.dim[0].dim_value = 4
    monkeypatch.setattr("graphs.finish.simplify.onnxsim.simplify", lambda proto: (fixed, True))
    with pytest.raises(GraphError, match=r"found axes .*'4'.*expected .*'batch'"):
        simplify.simplify(merged)
    monkeypatch.setattr("graphs.finish.simplify.onnxsim.simplify", lambda proto: (proto, False))
    with pytest.raises(GraphError, match="other answers"):
        simplify.simplify(merged)


# torch is loaded neither by the import nor by the work, and can be after it.
_TORCH = """
import sys
import onnx_ir as ir
from graphs.finish import simplify
simplify.simplify(ir.load(sys.argv[1]))
print("torch" in sys.modules)
import torch
print(torch.ones(1).item())
"""


def test_no_torch_is_loaded_for_it(merged, tmp_path):
    ir.save(merged, tmp_path / "merged.onnx")
    found = python(_TORCH, tmp_path / "merged.onnx")
    assert found.stdout.split() == ["False", "1.0"], found.stderr
