"""What could put a label to another's numbers: each is read rightly, or refused, never guessed."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import LinearSVC

from core.contract import MULTI_LABEL, SINGLE_LABEL
from core.errors import HeadError
from core.recipe import HeadTable
from core.untrusted.limited import process
from export.head import published_head
from tests.support import limited
from tests.support.heads import WIDTH, named, read_head, write_head
from tests.support.shapes import COUNTED, SORTED, by_label, convert, of_the_build, rows, single, truth
from tests.support.sources import source

X = rows(seed=7, count=80)
LABELS = ["joy", "anger", "neutral"]


@pytest.fixture(autouse=True)
def _no_process_a_head(monkeypatch):
    monkeypatch.setattr(process, "start", limited.in_a_thread)


def pruned(model):
    """Leave only what the outputs need, as tools do that optimize a graph."""
    wanted, kept = {value.name for value in model.graph.output}, []
    for node in reversed(model.graph.node):
        if wanted & set(node.output):
            wanted |= set(node.input)
            kept.insert(0, node)
    copies = [onnx.NodeProto() for _ in kept]
    for copy, node in zip(copies, kept, strict=True):
        copy.CopyFrom(node)
    del model.graph.node[:]
    model.graph.node.extend(copies)
    return model


def pairs(make, other="other"):
    x = rows()
    return {
        label: make().fit(x, np.where(x[:, column] > 0, label, other)) for column, label in enumerate(LABELS)
    }


@pytest.mark.parametrize("make", [LogisticRegression, lambda: CalibratedClassifierCV(LinearSVC(), cv=2)])
def test_pairs_without_their_choices(tmp_path, make):
    estimators = pairs(make)
    model = pruned(named(estimators, WIDTH))
    found = read_head(write_head(tmp_path, model, LABELS), LABELS, WIDTH)
    expected = [e.predict_proba(X)[:, e.classes_.tolist().index(label)] for label, e in estimators.items()]
    np.testing.assert_allclose(found.run(X)[1], np.stack(expected, axis=1), atol=1e-6)
    np.testing.assert_allclose(of_the_build(found, LABELS, X), np.stack(expected, axis=1), atol=1e-6)


def appended(model, nodes, outputs, constants=()):
    """Put nodes behind a model, whose outputs these then are."""
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(numpy_helper.from_array(np.array(v), name) for name, v in constants)
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    return model


def floats(name, *shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape])


def test_a_pair_whose_columns_an_unknown_product_made(tmp_path):
    estimator = pairs(LogisticRegression)["joy"]
    model = convert(estimator, {"zipmap": False})
    swap = helper.make_node("MatMul", ["probabilities", "swap"], ["joy"])
    constants = [("swap", np.eye(2, dtype=np.float32)[::-1])]
    model = appended(model, [swap], [floats("joy", 2)], constants)
    with pytest.raises(HeadError, match="output joy: holds a classifier of 'joy' and another, but not which"):
        read_head(write_head(tmp_path, model, ["joy"]), ["joy"], WIDTH)


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("classes", [("other", "joy"), ("joy", "other"), (0, 1)])
def test_one_value_a_label_of_the_class_that_it_is_named_as(tmp_path, classes, own):
    """Column 1 of 0 and 1 is the label's own, and column 0 is not; of names the label's."""
    x = rows()
    sought = "joy" if "joy" in classes else 1
    columns, nodes, constants, outputs = [], [], [], []
    for index, label in enumerate(LABELS):
        names = [label if name == "joy" else name for name in classes]
        y = np.where(x[:, index] > 0, names[1], names[0])
        estimator = LogisticRegression().fit(x, y)
        part = onnx.compose.add_prefix(
            convert(estimator, {"zipmap": False}), f"p{index}/", rename_inputs=False
        )
        place = estimator.classes_.tolist().index(label if sought == "joy" else 1)
        columns.append(estimator.predict_proba(X)[:, place])
        for node in part.graph.node:
            node.input[:] = ["x" if name.endswith("/x") else name for name in node.input]
        nodes += part.graph.node
        constants += part.graph.initializer
        constants.append(numpy_helper.from_array(np.array([place if own else 1 - place]), f"k{index}"))
        picked = [f"p{index}/probabilities", f"k{index}"]
        nodes.append(helper.make_node("ArrayFeatureExtractor", picked, [label], domain="ai.onnx.ml"))
        outputs.append(floats(label, 1))
    graph = helper.make_graph(nodes, "head", [floats("x", WIDTH)], outputs, constants)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, ir_version=10, opset_imports=opsets)
    folder = write_head(tmp_path, model, LABELS)
    if not own:
        with pytest.raises(HeadError, match=r"output joy: is of class .*, expected the label's own"):
            read_head(folder, LABELS, WIDTH)
        return
    found = read_head(folder, LABELS, WIDTH)
    np.testing.assert_allclose(found.run(X)[1], np.stack(columns, axis=1), atol=1e-6)
    np.testing.assert_allclose(of_the_build(found, LABELS, X), np.stack(columns, axis=1), atol=1e-6)


def test_a_softmax_whose_columns_were_put_elsewhere(tmp_path):
    estimator = single("LogisticRegression", "names")
    order = [2, 0, 3, 1]
    gather = helper.make_node("Gather", ["probabilities", "order"], ["p"], axis=1)
    model = convert(estimator, {"zipmap": False})
    model = appended(model, [gather], [floats("p", 4)], [("order", order)])
    found = read_head(write_head(tmp_path / "a", model, SORTED), COUNTED, WIDTH)
    np.testing.assert_allclose(of_the_build(found, COUNTED, X), by_label(estimator, COUNTED, X), atol=1e-6)
    assert found.info.output_order == [SORTED[place] for place in order]
    product = helper.make_node("MatMul", ["probabilities", "order"], ["p"])
    model = convert(estimator, {"zipmap": False})
    model = appended(model, [product], [floats("p", 4)], [("order", np.eye(4, dtype=np.float32)[order])])
    with pytest.raises(HeadError, match=r"holds the names \['anger', .*\], but not which column is which"):
        read_head(write_head(tmp_path / "b", model, SORTED), SORTED, WIDTH)


def test_keys_that_contradict_the_classes(tmp_path):
    model = convert(single("LogisticRegression", "names"), {})
    (keys,) = (node.attribute[0] for node in model.graph.node if node.op_type == "ZipMap")
    keys.strings[:] = keys.strings[::-1]
    with pytest.raises(HeadError, match=r"found keys \['neutral', .*\] for classes \['anger', "):
        read_head(write_head(tmp_path, model, SORTED), SORTED, WIDTH)


def test_integers_that_an_encoder_behind_the_choice_names(tmp_path):
    estimator = single("LogisticRegression", "integers")
    encoder = helper.make_node(
        "LabelEncoder",
        ["label"],
        ["named"],
        domain="ai.onnx.ml",
        keys_int64s=[3, 2, 1, 0],
        values_strings=COUNTED[::-1],
        default_string="?",
    )
    outputs = [helper.make_tensor_value_info("named", TensorProto.STRING, ["N"]), floats("probabilities", 4)]
    model = appended(convert(estimator, {"zipmap": False}), [encoder], outputs)
    # skl2onnx states the version that its own operators need.
    (domain,) = (one for one in model.opset_import if one.domain)
    domain.version = 3
    found = read_head(write_head(tmp_path, model, SORTED), SORTED, WIDTH)
    np.testing.assert_allclose(found.run(X)[1], by_label(estimator, SORTED, X), atol=1e-6)
    np.testing.assert_allclose(of_the_build(found, SORTED, X), by_label(estimator, SORTED, X), atol=1e-6)
    assert (found.info.columns_from, found.info.output_order) == ("names", COUNTED)


def test_labels_that_are_numbers_are_the_classes_themselves(tmp_path):
    stars = ["3", "1", "4", "2"]
    estimator = LogisticRegression().fit(rows(), truth() + 1)
    for index, options in enumerate(({}, {"zipmap": False}, {"zipmap": "columns"})):
        folder = write_head(tmp_path / str(index), convert(estimator, options), sorted(stars))
        found = read_head(folder, stars, WIDTH)
        expected = estimator.predict_proba(X)[:, [2, 0, 3, 1]]
        np.testing.assert_allclose(found.run(X)[1], expected, atol=1e-6)
        np.testing.assert_allclose(of_the_build(found, stars, X), expected, atol=1e-6)
        assert found.info.columns_from == "names"
        with pytest.raises(HeadError, match=r"found classes \[1, 2, 3, 4\], expected names, or 0 to 3"):
            read_head(write_head(folder, convert(estimator, options), SORTED), SORTED, WIDTH)


def test_two_labels_that_exclude_each_other_are_no_softmax(tmp_path):
    x = rows()
    joy = x[:, 0] > 0
    estimator = OneVsRestClassifier(LogisticRegression()).fit(x, np.stack([joy, ~joy], axis=1).astype(int))
    assert abs(estimator.predict_proba(X).sum(axis=1) - 1).max() < 1e-5
    folder = write_head(tmp_path, convert(estimator, {"zipmap": False}), ["joy", "grief"])
    assert read_head(folder, ["joy", "grief"], WIDTH).info.problem_type == MULTI_LABEL


def test_rows_that_almost_add_up_to_1_are_what_the_recipe_says(tmp_path):
    """As those of naive Bayes may, whose logarithms are large."""
    model = convert(single("naive Bayes", "names"), {"zipmap": False})
    nodes = [helper.make_node("Mul", ["probabilities", "almost"], ["p"])]
    write_head(tmp_path, appended(model, nodes, [floats("p", 4)], [("almost", np.float32(0.998))]), SORTED)
    with pytest.raises(HeadError, match=r"add up to 1 but for .*; state \[head\] problem_type in the recipe"):
        read_head(tmp_path, SORTED, WIDTH)
    table = HeadTable(source="path:x", problem_type=SINGLE_LABEL)
    found = published_head.read(source(tmp_path), table, SORTED, WIDTH)
    assert (found.info.problem_type, found.info.kind) == (SINGLE_LABEL, "subgraph")


def test_thresholds_in_another_order_are_no_matter_to_names(tmp_path):
    folder = write_head(tmp_path, convert(single("LogisticRegression", "names"), {}), SORTED)
    (folder / "thresholds.json").write_text(json.dumps(dict.fromkeys(COUNTED, 0.1)))
    assert read_head(folder, SORTED, WIDTH).info.columns_from == "names"
