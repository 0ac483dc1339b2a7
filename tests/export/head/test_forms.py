"""Heads in safetensors, in float16, beside a pickle, with more outputs than answers."""

from __future__ import annotations

import json
import pickle

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from core.contract import MULTI_LABEL, SINGLE_LABEL
from core.errors import HeadError
from core.recipe import HeadTable
from core.untrusted.limited import process
from export.head import published_head
from tests.support import limited
from tests.support.heads import WIDTH, read_head, sigmoid, write_head
from tests.support.shapes import COUNTED, SORTED, by_label, convert, multi, of_the_build, rows, single
from tests.support.sources import source

X = rows(seed=7, count=80)


@pytest.fixture
def _no_process_a_head(monkeypatch):
    monkeypatch.setattr(process, "start", limited.in_a_thread)


def softmax(z):
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def weights(labels, dtype=np.float32):
    random = np.random.default_rng(1)
    shapes = (len(labels), WIDTH), len(labels)
    return {"weight": 3 * random.standard_normal(shapes[0]), "bias": random.standard_normal(shapes[1])}


def write_tensors(folder, arrays, name="head.safetensors", **metadata):
    folder.mkdir(exist_ok=True)
    save_file(arrays, folder / name, {key: str(value) for key, value in metadata.items()})
    (folder / "thresholds.json").write_text(json.dumps(dict.fromkeys(SORTED, 0.5)))
    return folder


@pytest.mark.parametrize("name", ["head.safetensors", "model.safetensors"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("problem_type", [MULTI_LABEL, SINGLE_LABEL])
def test_safetensors_by_the_names_in_its_metadata(tmp_path, problem_type, dtype, name):
    arrays = {key: value.astype(dtype) for key, value in weights(COUNTED).items()}
    named = {"labels": json.dumps(COUNTED), "problem_type": problem_type}
    found = read_head(write_tensors(tmp_path, arrays, name, **named), SORTED, WIDTH)
    assert (found.info.problem_type, found.info.columns_from, found.info.kind) == (
        problem_type,
        "names",
        "linear",
    )
    z = X.astype(float) @ arrays["weight"].astype(float).T + arrays["bias"].astype(float)
    truth = (sigmoid(z) if problem_type == MULTI_LABEL else softmax(z))[:, [COUNTED.index(n) for n in SORTED]]
    np.testing.assert_allclose(found.run(X)[1], truth, atol=1e-6)
    np.testing.assert_allclose(of_the_build(found, SORTED, X), truth, atol=1e-6)
    assert set(found.info.sha256) == {name, "thresholds.json"}
    assert found.info.model_sha256 == found.info.sha256[name]


@pytest.mark.parametrize("labels", [["spam"], ["spam", "ham"]])
@pytest.mark.parametrize("problem_type", [MULTI_LABEL, SINGLE_LABEL])
def test_safetensors_of_few_labels(tmp_path, labels, problem_type):
    arrays = {key: value.astype(np.float32) for key, value in weights(labels).items()}
    write_tensors(tmp_path, arrays, labels=json.dumps(labels), problem_type=problem_type)
    (tmp_path / "thresholds.json").write_text(json.dumps(dict.fromkeys(labels, 0.5)))
    if (len(labels), problem_type) == (1, SINGLE_LABEL):
        with pytest.raises(HeadError, match="weight: found 1 row of a softmax"):
            read_head(tmp_path, labels, WIDTH)
        return
    found = read_head(tmp_path, labels, WIDTH)
    assert found.info.problem_type == problem_type
    z = X @ arrays["weight"].T + arrays["bias"]
    truth = sigmoid(z) if problem_type == MULTI_LABEL else softmax(z)
    np.testing.assert_allclose(of_the_build(found, labels, X), truth, atol=1e-6)


def test_safetensors_without_names_are_in_the_recipes_order(tmp_path):
    arrays = {key: value.astype(np.float32) for key, value in weights(SORTED).items()}
    folder = write_tensors(tmp_path, arrays, problem_type=MULTI_LABEL)
    found = read_head(folder, SORTED, WIDTH)
    assert found.info.columns_from == "recipe"
    np.testing.assert_allclose(found.run(X)[1], sigmoid(X @ arrays["weight"].T + arrays["bias"]), atol=1e-6)
    with pytest.raises(HeadError, match=r"head\.safetensors: holds no names of labels, and thresholds\.json"):
        read_head(folder, COUNTED, WIDTH)


def test_a_softmax_of_weights_is_stated_somewhere_and_never_twice(tmp_path):
    arrays = {key: value.astype(np.float32) for key, value in weights(SORTED).items()}
    folder = write_tensors(tmp_path, arrays, labels=json.dumps(SORTED))
    with pytest.raises(
        HeadError, match=r"problem_type: of its metadata and the recipe's \[head\]: found none"
    ):
        read_head(folder, SORTED, WIDTH)
    stated = HeadTable(source="path:x", problem_type=SINGLE_LABEL)
    assert published_head.read(source(folder), stated, SORTED, WIDTH).info.problem_type == SINGLE_LABEL
    write_tensors(tmp_path, arrays, labels=json.dumps(SORTED), problem_type=MULTI_LABEL)
    with pytest.raises(HeadError, match="found multi_label_classification and single_label_classification"):
        published_head.read(source(folder), stated, SORTED, WIDTH)


GOOD = {key: value.astype(np.float32) for key, value in weights(SORTED).items()}


@pytest.mark.parametrize(
    ("arrays", "metadata", "message"),
    [
        ({"w": GOOD["weight"]}, {}, r"found tensors \{'w': \(4, 8\)\}, expected weight \[labels, features\]"),
        ({**GOOD, "bias": GOOD["bias"][:3]}, {}, r"expected weight \[labels, features\] and bias \[labels\]"),
        ({**GOOD, "weight": GOOD["weight"].T.copy()}, {}, "expected weight"),
        ({**GOOD, "bias": np.full(4, np.nan, np.float32)}, {}, "bias: found NaN or infinity"),
        ({**GOOD, "bias": np.arange(4)}, {}, "bias: found I64, expected F16 or F32 or F64"),
        (GOOD, {"labels": "anger"}, "labels: cannot be read as JSON"),
        (GOOD, {"labels": '{"anger": 0}'}, "labels of its metadata: expected a JSON list of names"),
        (GOOD, {"labels": json.dumps([*SORTED[:3], "envy"])}, "label 'envy' is unknown to the recipe"),
        (GOOD, {"labels": json.dumps([*SORTED[:3], "joy"])}, "duplicate label 'joy'"),
        (GOOD, {"problem_type": "regression"}, "problem_type: .*found regression, expected one of multi"),
    ],
)
def test_safetensors_that_are_no_head(tmp_path, arrays, metadata, message):
    folder = write_tensors(tmp_path, arrays, **{"problem_type": MULTI_LABEL, **metadata})
    with pytest.raises(HeadError, match=rf"head\.safetensors: .*{message}"):
        read_head(folder, SORTED, WIDTH)


def test_a_head_for_another_encoder_and_a_damaged_one(tmp_path):
    folder = write_tensors(tmp_path, GOOD, labels=json.dumps(SORTED), problem_type=MULTI_LABEL)
    with pytest.raises(HeadError, match=r"head\.safetensors: input .*expected \[N, 384\]"):
        read_head(folder, SORTED, 384)
    (folder / "head.safetensors").write_bytes((folder / "head.safetensors").read_bytes()[:-1])
    with pytest.raises(HeadError, match=r"head\.safetensors: truncated or not safetensors"):
        read_head(folder, SORTED, WIDTH)


@pytest.mark.parametrize("name", ["model_head.pkl", "head.joblib", "head.pickle"])
def test_a_pickle_is_never_read(tmp_path, name):
    """SetFit's folder: the encoder's weights beside a pickle of the head."""

    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    folder = write_tensors(tmp_path / "head", {"embeddings.weight": GOOD["weight"]}, "model.safetensors")
    (folder / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(HeadError, match=rf"{name}: a pickle runs .* is not read; docs/heads\.md has"):
        read_head(folder, SORTED, WIDTH)
    assert not (tmp_path / "ran").exists()
    save_file(GOOD, folder / "head.safetensors", {"labels": json.dumps(SORTED), "problem_type": MULTI_LABEL})
    assert read_head(folder, SORTED, WIDTH).info.kind == "linear"


def halved(model, *, only_inside):
    """The same in float16 throughout, or only between a float32 input and output."""
    graph = model.graph
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(
                numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name)
            )
    if only_inside:
        graph.node.insert(0, helper.make_node("Cast", ["x"], ["half"], to=TensorProto.FLOAT16))
        graph.node[1].input[0] = "half"
        last = graph.node[-1].output[0]
        graph.node[-1].output[0] = "halves"
        graph.node.append(helper.make_node("Cast", ["halves"], [last], to=TensorProto.FLOAT))
    else:
        for value in [*graph.input, *graph.output]:
            value.type.tensor_type.elem_type = TensorProto.FLOAT16
    onnx.checker.check_model(model)
    return model


@pytest.mark.parametrize("only_inside", [True, False])
def test_a_head_in_float16_is_read_in_float32(tmp_path, only_inside):
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["z"], transB=1),
        helper.make_node("Sigmoid", ["z"], ["p"]),
    ]
    tensors = [numpy_helper.from_array(GOOD["weight"], "w"), numpy_helper.from_array(GOOD["bias"], "b")]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", WIDTH])]
    outputs = [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["N", 4])]
    graph = helper.make_graph(nodes, "head", inputs, outputs, tensors)
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 18)])
    folder = write_head(tmp_path, halved(model, only_inside=only_inside), SORTED)
    found = read_head(folder, SORTED, WIDTH)
    weight, bias = (GOOD[name].astype(np.float16).astype(float) for name in ("weight", "bias"))
    np.testing.assert_allclose(found.run(X)[1], sigmoid(X @ weight.T + bias), atol=1e-6)
    np.testing.assert_allclose(of_the_build(found, SORTED, X), sigmoid(X @ weight.T + bias), atol=1e-6)
    assert found.info.kind == "linear"


@pytest.mark.usefixtures("_no_process_a_head")
def test_logits_beside_the_probabilities(tmp_path):
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["logits"], transB=1),
        helper.make_node("Sigmoid", ["logits"], ["probabilities"]),
    ]
    tensors = [numpy_helper.from_array(GOOD["weight"], "w"), numpy_helper.from_array(GOOD["bias"], "b")]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", WIDTH])]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4])
        for name in ("logits", "probabilities")
    ]
    graph = helper.make_graph(nodes, "head", inputs, outputs, tensors)
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 18)])
    found = read_head(write_head(tmp_path, model, SORTED), SORTED, WIDTH)
    np.testing.assert_allclose(found.run(X)[1], sigmoid(X @ GOOD["weight"].T + GOOD["bias"]), atol=1e-6)


@pytest.mark.usefixtures("_no_process_a_head")
def test_the_original_opens_again_for_who_times_it(tmp_path):
    for folder, estimator, labels in (
        (tmp_path / "a", single("forest", "names"), SORTED[::-1]),
        (tmp_path / "b", multi("OneVsRest"), COUNTED),
    ):
        model = convert(estimator, {"zipmap": False})
        found = read_head(write_head(folder, model, COUNTED), labels, WIDTH)
        again = published_head.open_original(source(folder), labels, found.info.problem_type, WIDTH, 1)
        np.testing.assert_allclose(again(X)[1], by_label(estimator, labels, X), atol=1e-6)
