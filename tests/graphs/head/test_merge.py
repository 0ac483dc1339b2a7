"""Merging heads of every kind, under both contracts, against the parts run apart."""

from __future__ import annotations

import warnings
from collections import Counter

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from sklearn.exceptions import ConvergenceWarning
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier

from core.errors import GraphError
from core.recipe import HeadTable
from export.head import published_head as published_head
from export.sources import resolve
from graphs.edit import legal
from graphs.head import files, merge, subgraph
from tests.support.factories import fitted, random_tokens
from tests.support.graphs import linear_head, pooled, run

LABELS = ["joy", "anger", "neutral"]
SHUFFLED = ["neutral", "joy", "anger"]


def sigmoid(z):
    return 1 / (1 + np.exp(-z.astype(np.float64)))


def embedded(made, seed=0):
    ids, mask = random_tokens(6, 7, made.info.vocabulary, seed=seed)
    return ids, mask, made.original(ids, mask).astype(np.float32)


def test_a_linear_head_stacked(any_encoder):
    made = linear_head(LABELS, any_encoder.info.hidden)
    ids, mask, embedding = embedded(any_encoder)
    model = pooled(any_encoder)
    assert merge.stacked(model, made) == 1
    legal.check(model)
    assert Counter(node.op_type for node in model.graph)["Gemm"] == 1
    names = [value.name for value in model.graph.outputs]
    assert names == ["logits", "probabilities", "predictions"]
    logits, probabilities, predictions = run(model, ids, mask, names)
    expected = embedding @ made.weight_hl + made.bias_l
    np.testing.assert_allclose(logits, expected, atol=3e-5)
    np.testing.assert_allclose(probabilities, sigmoid(expected), atol=1e-5)
    limits = np.array([0.3, 0.4, 0.5], np.float32)
    np.testing.assert_array_equal(predictions, probabilities >= limits)
    assert 0 < predictions.mean() < 1
    assert [v.dtype for v in model.graph.outputs] == [ir.DataType.FLOAT] * 2 + [ir.DataType.BOOL]


def test_a_linear_head_per_label_in_the_heads_own_order(any_encoder):
    made = linear_head(LABELS, any_encoder.info.hidden, order=SHUFFLED)
    ids, mask, embedding = embedded(any_encoder)
    model = pooled(any_encoder)
    merge.per_label(model, made)
    legal.check(model)
    assert [value.name for value in model.graph.outputs] == SHUFFLED
    assert Counter(node.op_type for node in model.graph)["Gemm"] == 1
    found = dict(zip(SHUFFLED, run(model, ids, mask, SHUFFLED), strict=True))
    expected = sigmoid(embedding @ made.weight_hl + made.bias_l)
    for column, label in enumerate(LABELS):
        pair = np.stack([1 - expected[:, column], expected[:, column]], axis=1)
        np.testing.assert_allclose(found[label], pair, atol=1e-5)


def test_merge_refuses_an_encoder_that_is_not_pooled(any_encoder):
    with pytest.raises(GraphError, match="expected sentence_embedding"):
        merge.stacked(any_encoder.model(), linear_head(LABELS, any_encoder.info.hidden))


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def others(kind, hidden, opset, folder):
    """Write a head that is no logistic regression; return its model's path."""
    random = np.random.default_rng(3)
    x = random.standard_normal((200, hidden))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    y = (x @ random.standard_normal((hidden, 3)) > 0).astype(int)
    tensor = DoubleTensorType if kind == "double" else FloatTensorType
    types = [("logits", tensor([None, hidden]))]
    opsets = {"": opset, "ai.onnx.ml": 3}
    if kind in ("named", "double"):
        parts = []
        for index, label in enumerate(LABELS):
            tree = DecisionTreeClassifier(max_depth=3, random_state=0)
            if kind == "double":
                tree = MLPClassifier((4,), max_iter=60, random_state=0)
            tree.fit(x, y[:, index])
            part = convert_sklearn(tree, None, types, options={"zipmap": False}, target_opset=opsets)
            part = onnx.compose.add_prefix(part, f"{label}/", rename_inputs=False)
            renamed = {f"{label}/logits": "logits", f"{label}/probabilities": label}
            for node in part.graph.node:
                node.input[:] = [renamed.get(name, name) for name in node.input]
                node.output[:] = [renamed.get(name, name) for name in node.output]
            parts.append(part)
        order = [1, 2, 0]
        float_type = onnx.TensorProto.DOUBLE if kind == "double" else onnx.TensorProto.FLOAT
        graph = onnx.helper.make_graph(
            [node for part in parts for node in part.graph.node],
            "trees",
            [onnx.helper.make_tensor_value_info("logits", float_type, ["N", hidden])],
            [
                onnx.helper.make_tensor_value_info(
                    LABELS[i], parts[i].graph.output[1].type.tensor_type.elem_type, ["N", 2]
                )
                for i in order
            ],
            [tensor for part in parts for tensor in part.graph.initializer],
        )
        model = onnx.helper.make_model(graph, opset_imports=parts[0].opset_import, ir_version=9)
    else:
        estimator = MultiOutputClassifier(DecisionTreeClassifier(max_depth=3, random_state=0)).fit(x, y)
        options = {id(estimator): {"zipmap": False}}
        model = convert_sklearn(estimator, None, types, options=options, target_opset=opsets)
    folder.mkdir()
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    limits = ", ".join(f'"{label}": 0.{4 + index}' for index, label in enumerate(LABELS))
    (folder / "thresholds.json").write_text("{" + limits + "}", "utf-8")
    return folder


@pytest.mark.parametrize(("kind", "opset"), [("named", 18), ("named", 13), ("double", 15), ("sequence", 18)])
@pytest.mark.parametrize("contract", ["stacked", "per-label"])
def test_any_other_head_is_merged_as_it_is(mean, tmp_path, kind, opset, contract):
    hidden = mean.info.hidden
    folder = others(kind, hidden, opset, tmp_path / "head")
    source = resolve.Source("path:head", folder)
    read = published_head.read(source, HeadTable(source="path:head"), LABELS, hidden)
    assert read.info.kind == "subgraph"
    published_head.write(read, tmp_path)
    ids, mask, embedding = embedded(mean)
    original = onnxruntime.InferenceSession(folder / "model.onnx")
    dtype = np.float64 if kind == "double" else np.float32
    outputs = [value.name for value in original.get_outputs()]
    answers = dict(zip(outputs, original.run(None, {"logits": embedding.astype(dtype)}), strict=True))
    pairs = answers["probabilities"] if kind == "sequence" else [answers[label] for label in LABELS]
    model = pooled(mean)
    rewrite = subgraph.stacked if contract == "stacked" else subgraph.per_label
    assert rewrite(model, files.read(tmp_path)) == 1
    legal.check(model)
    if contract == "per-label":
        order = [value.name for value in model.graph.outputs]
        assert order == (LABELS if kind == "sequence" else ["anger", "neutral", "joy"])
        for label, pair in zip(LABELS, pairs, strict=True):
            np.testing.assert_allclose(run(model, ids, mask, [label])[0], pair, atol=1e-6)
        return
    logits, probabilities, predictions = run(model, ids, mask)
    positive = np.stack([np.asarray(pair)[:, 1] for pair in pairs], axis=1)
    np.testing.assert_allclose(probabilities, positive, atol=1e-6)
    np.testing.assert_array_equal(predictions, positive >= np.array([0.4, 0.5, 0.6], np.float32))
    np.testing.assert_allclose(sigmoid(logits), positive, atol=1e-6)
    assert np.isfinite(logits).all()


def test_one_tensor_of_probabilities_as_a_subgraph(mean, tmp_path):
    hidden = mean.info.hidden
    weights = np.stack([c.coef_[0] for c in fitted(LABELS, hidden)], axis=1).astype(np.float32)
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["logits", "w"], ["z"]),
            helper.make_node("Tanh", ["z"], ["t"]),
            helper.make_node("Sigmoid", ["t"], ["answers"]),
        ],
        "head",
        [helper.make_tensor_value_info("logits", kind, ["N", hidden])],
        [helper.make_tensor_value_info("answers", kind, ["N", 3])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    opsets = [helper.make_opsetid("", 18)]
    (tmp_path / "model.onnx").write_bytes(
        helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()
    )
    (tmp_path / "thresholds.json").write_text('{"joy": 0.5, "anger": 0.5, "neutral": 0.5}', "utf-8")
    source = resolve.Source("path:head", tmp_path)
    read = published_head.read(source, HeadTable(source="path:head"), LABELS, hidden)
    assert (read.info.kind, read.info.layout) == ("subgraph", "columns")
    assert read.info.reason == "Tanh is not an affine map"
    published_head.write(read, tmp_path)
    ids, mask, embedding = embedded(mean)
    expected = sigmoid(np.tanh(embedding @ weights))
    model = pooled(mean)
    subgraph.stacked(model, files.read(tmp_path))
    np.testing.assert_allclose(run(model, ids, mask)[1], expected, atol=1e-5)
    model = pooled(mean)
    subgraph.per_label(model, files.read(tmp_path))
    np.testing.assert_allclose(run(model, ids, mask, ["anger"])[0][:, 1], expected[:, 1], atol=1e-5)


@pytest.mark.parametrize("contract", ["stacked", "per-label"])
def test_a_value_a_label_in_the_heads_own_order(mean, tmp_path, contract):
    hidden, helper, kind = mean.info.hidden, onnx.helper, onnx.TensorProto.FLOAT
    weights = np.stack([c.coef_[0] for c in fitted(SHUFFLED, hidden)], axis=1).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["logits", "w"], ["z"]),
            helper.make_node("Tanh", ["z"], ["t"]),
            helper.make_node("Sigmoid", ["t"], ["p"]),
            helper.make_node("Split", ["p"], SHUFFLED, axis=1, num_outputs=3),
        ],
        "head",
        [helper.make_tensor_value_info("logits", kind, ["N", hidden])],
        [helper.make_tensor_value_info(label, kind, ["N", 1]) for label in SHUFFLED],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    opsets = [helper.make_opsetid("", 18)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    (tmp_path / "model.onnx").write_bytes(made.SerializeToString())
    (tmp_path / "thresholds.json").write_text('{"joy": 0.5, "anger": 0.5, "neutral": 0.5}', "utf-8")
    source = resolve.Source("path:head", tmp_path)
    read = published_head.read(source, HeadTable(source="path:head"), LABELS, hidden)
    assert (read.info.kind, read.info.layout, read.info.output_order) == ("subgraph", "columns", SHUFFLED)
    published_head.write(read, tmp_path)
    ids, mask, embedding = embedded(mean)
    expected = dict(zip(SHUFFLED, sigmoid(np.tanh(embedding @ weights)).T, strict=True))
    model = pooled(mean)
    if contract == "stacked":
        subgraph.stacked(model, files.read(tmp_path))
        found = dict(zip(LABELS, run(model, ids, mask)[1].T, strict=True))
    else:
        subgraph.per_label(model, files.read(tmp_path))
        assert [value.name for value in model.graph.outputs] == SHUFFLED
        found = {label: run(model, ids, mask, [label])[0][:, 1] for label in LABELS}
    for label in LABELS:
        np.testing.assert_allclose(found[label], expected[label], atol=1e-5)
