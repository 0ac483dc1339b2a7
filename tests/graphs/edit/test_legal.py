"""What is legal between two steps; the errors name the node, and the step that must come before."""

from __future__ import annotations

import pytest

from core.errors import GraphError
from graphs.edit import legal, names, ops
from graphs.edit.files import load as load_graph
from graphs.head import merge
from tests.support.graphs import linear_head, packed, pooled

LABELS = ["joy", "anger", "neutral"]


def test_legal_names_the_node(mean):
    model = pooled(mean)
    node = ops.nodes_of(model.graph, "Cast")[0]
    node.domain = "com.example"
    with pytest.raises(GraphError, match=f"node {node.name}: operator com.example.Cast is not legal"):
        legal.check(model)


def test_legal_refuses_a_name_used_twice(mean):
    model = pooled(mean)
    merge.stacked(model, linear_head(LABELS, mean.info.hidden))
    model.graph.node(-1).outputs[0].name = "logits"
    with pytest.raises(GraphError, match="value names used twice: logits"):
        legal.check(model)


def test_legal_refuses_other_inputs(mean):
    model = pooled(mean)
    model.graph.inputs[0].name = "ids"
    with pytest.raises(GraphError, match="found inputs"):
        legal.check(model)


@pytest.mark.parametrize(
    ("make", "name", "step"),
    [
        (lambda made: made.model(), "word_embedding", "embeddings"),
        (lambda made: made.model(), "feature_3_mean", "pool"),
        (pooled, "logits", "merge"),
        (pooled, "layer_0_long_scores", "pack"),
        (pooled, "layout_starts", "pack"),
        (packed, "layer_1_up", "unfuse"),
    ],
)
def test_a_missing_node_names_the_step_that_makes_it(mean, make, name, step):
    with pytest.raises(GraphError, match=f"^no node {name}; `{step}` must come before$"):
        names.node(make(mean).graph, name)


def test_load_names_a_file_that_is_not_onnx(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"not a graph")
    with pytest.raises(GraphError, match=r"x\.onnx: not an ONNX file"):
        load_graph(tmp_path / "x.onnx")
