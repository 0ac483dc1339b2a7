"""Rows are cut inside a graph as the Rust tokenizer cuts a text, and other rows stay as they are."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from core.errors import GraphError
from graphs.edit import ops
from graphs.finish.cut import cut

LIMIT = 8
TEXTS = ["", "a", "a b c d e", "a b c d e f", "a b c d e f g", "a b c d e f g h i j k l", "l k j i h g f e"]


@pytest.fixture
def tokenizer():
    words = ["[PAD]", "[CLS]", "[SEP]", *"abcdefghijkl"]
    found = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, "[PAD]"))
    found.pre_tokenizer = pre_tokenizers.Whitespace()
    found.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 1), ("[SEP]", 2)])
    return found


def model(reader="Identity"):
    """A graph that gives back what its readers read: the ids, the mask, and the ids in a branch."""
    axes = ["batch", "sequence"]
    ids, mask = (ir.val(name, ir.DataType.INT64, axes) for name in ("input_ids", "attention_mask"))
    nodes = [ops.node(reader, [ids], "ids"), ops.node(reader, [mask], "mask")]
    branches = []
    for name in ("then_branch", "else_branch"):
        inner = ops.node("Identity", [ids], f"{name}_ids")
        branches.append(
            ir.Graph([], [ops.typed(inner.outputs[0], ir.DataType.INT64, axes)], nodes=[inner], name=name)
        )
    always = ir.val("always", const_value=ir.tensor(np.array(True), name="always"))
    chosen = dict(zip(("then_branch", "else_branch"), branches, strict=True))
    nodes.append(ops.node("If", [always], "branch", attributes=chosen))
    outputs = [ops.typed(node.outputs[0], ir.DataType.INT64, axes) for node in nodes]
    graph = ir.Graph(
        [ids, mask], outputs, nodes=nodes, initializers=[always], opset_imports={"": 18}, name="g"
    )
    return ir.Model(graph, ir_version=8)


def run(found, rows):
    width = max(map(len, rows))
    ids = np.array([row + [0] * (width - len(row)) for row in rows])
    mask = np.array([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    session = onnxruntime.InferenceSession(ir.to_proto(found).SerializeToString())
    return session.run(None, {"input_ids": ids, "attention_mask": mask})


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:3], *([text] for text in TEXTS)])
def test_rows_are_the_tokenizers(tokenizer, texts):
    found = model()
    assert cut(found, LIMIT) == 2
    whole = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    tokenizer.enable_truncation(LIMIT)
    expected = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    for ids in (run(found, whole)[0], run(found, whole)[2]):
        assert ids.shape[1] == min(LIMIT, max(map(len, whole)))
        assert [row[row != 0].tolist() for row in ids] == expected
    assert run(found, whole)[1].sum(axis=1).tolist() == [len(row) for row in expected]


def test_a_graph_of_texts_is_refused():
    texts = ir.val("text", ir.DataType.STRING, ["batch"])
    graph = ir.Graph([texts], [], nodes=[], opset_imports={"": 18}, name="g")
    with pytest.raises(GraphError, match="has no input input_ids; found"):
        cut(ir.Model(graph, ir_version=8), LIMIT)
