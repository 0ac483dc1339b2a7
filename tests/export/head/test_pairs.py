"""One classifier a label: which of its two classes is the label's own, by what the file says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import helper
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.tree import DecisionTreeClassifier

from core.errors import HeadError
from core.untrusted.limited import process
from export.head import original
from export.head.layout import published
from tests.support import limited
from tests.support.heads import WIDTH, named, read_head, write_head
from tests.support.shapes import OPTIONS, SORTED, convert, of_the_build, rows, single

LABELS = ["joy", "anger", "neutral"]
MAKE = {
    "regression": LogisticRegression,
    "sgd": lambda: SGDClassifier(loss="log_loss", random_state=0),
    "tree": lambda: DecisionTreeClassifier(max_depth=3, random_state=0),
}
X = rows(seed=7, count=80)


@pytest.fixture(autouse=True)
def _no_process_a_head(monkeypatch):
    monkeypatch.setattr(process, "start", limited.in_a_thread)


def fitted(no_and_yes, make=LogisticRegression):
    """One classifier a label; `no_and_yes` gives the names of a label's two classes."""
    x, found = rows(), {}
    for column, label in enumerate(LABELS):
        no, yes = no_and_yes(label)
        found[label] = make().fit(x, np.where(x[:, column] > 0.1 * column, yes, no))
    return found


def expected(estimators, no_and_yes):
    columns = []
    for label, estimator in estimators.items():
        yes = estimator.classes_.tolist().index(no_and_yes(label)[1])
        columns.append(estimator.predict_proba(X)[:, yes])
    return np.stack(columns, axis=1)


KNOWN = {
    "other": lambda label: ("other", label),
    "no label": lambda label: (f"not_{label}", label),
    "a label as the other": lambda label: (next(other for other in LABELS if other != label), label),
    "no and yes": lambda _: ("no", "yes"),
    "False and True": lambda _: ("False", "True"),
    "0 and 1 as words": lambda _: ("0", "1"),
    "negative and positive": lambda _: ("negative", "positive"),
    "0 and 1": lambda _: (0, 1),
    "-1 and 1": lambda _: (-1, 1),
}


@pytest.mark.parametrize("make", MAKE)
@pytest.mark.parametrize("classes", KNOWN)
def test_a_labels_own_class_may_be_either_column(tmp_path, classes, make):
    estimators = fitted(KNOWN[classes], MAKE[make])
    firsts = {e.classes_.tolist().index(KNOWN[classes](label)[1]) for label, e in estimators.items()}
    assert classes not in ("no label", "other", "a label as the other") or 0 in firsts
    model = named({label: estimators[label] for label in LABELS[::-1]}, WIDTH)
    found = read_head(write_head(tmp_path, model, LABELS), LABELS, WIDTH)
    assert found.info.kind == ("subgraph" if make == "tree" else "linear")
    truth = expected(estimators, KNOWN[classes])
    np.testing.assert_allclose(found.run(X)[1], truth, atol=1e-6)
    np.testing.assert_allclose(found.run(X)[0], 1 - truth, atol=1e-6)
    np.testing.assert_allclose(of_the_build(found, LABELS, X), truth, atol=1e-6)
    assert (found.info.columns_from, found.info.output_order) == ("names", LABELS[::-1])


@pytest.mark.parametrize("pair", [("one", "two"), (0, 2), (1, 2), ("Joy", "other"), ("yes", "true")])
def test_two_classes_that_say_nothing_of_the_label(tmp_path, pair):
    model = named(fitted(lambda _: pair), WIDTH)
    with pytest.raises(
        HeadError, match=r"model\.onnx: output \w+: found classes \[.*\], expected '\w+' and an"
    ):
        read_head(write_head(tmp_path, model, LABELS), LABELS, WIDTH)


def test_an_output_of_another_labels_classes(tmp_path):
    estimators = fitted(KNOWN["other"])
    estimators["joy"], estimators["anger"] = estimators["anger"], estimators["joy"]
    with pytest.raises(HeadError, match=r"output joy: found classes \['anger', 'other'\]"):
        read_head(write_head(tmp_path, named(estimators, WIDTH), LABELS), LABELS, WIDTH)


@pytest.mark.parametrize("option", [{"zipmap": False}, {"zipmap": False, "output_class_labels": True}])
@pytest.mark.parametrize("order", [LABELS, LABELS[::-1]])
def test_a_sequence_of_pairs_that_have_names(tmp_path, order, option):
    x = rows()
    columns = [np.where(x[:, i] > 0, label, "other") for i, label in enumerate(LABELS)]
    estimator = MultiOutputClassifier(LogisticRegression()).fit(x, np.stack(columns, axis=1))
    found = read_head(write_head(tmp_path, convert(estimator, option), LABELS), order, WIDTH)
    pairs = estimator.predict_proba(X)
    truth = {
        label: pair[:, one.classes_.tolist().index(label)]
        for label, pair, one in zip(LABELS, pairs, estimator.estimators_, strict=True)
    }
    truth = np.stack([truth[label] for label in order], axis=1)
    np.testing.assert_allclose(found.run(X)[1], truth, atol=1e-6)
    np.testing.assert_allclose(of_the_build(found, order, X), truth, atol=1e-6)
    assert (found.info.layout, found.info.columns_from) == ("sequence", "names")


def test_a_sequence_of_trees_that_have_names(tmp_path):
    x = rows()
    columns = [np.where(x[:, i] > 0, label, "other") for i, label in enumerate(LABELS)]
    estimator = MultiOutputClassifier(DecisionTreeClassifier(max_depth=3)).fit(x, np.stack(columns, axis=1))
    model = convert(estimator, {"zipmap": False})
    found = read_head(write_head(tmp_path, model, LABELS), LABELS[::-1], WIDTH)
    assert (found.info.kind, found.info.layout) == ("subgraph", "sequence")
    pairs = zip(LABELS, estimator.predict_proba(X), estimator.estimators_, strict=True)
    truth = {label: pair[:, one.classes_.tolist().index(label)] for label, pair, one in pairs}
    stacked = np.stack([truth[label] for label in LABELS[::-1]], axis=1)
    np.testing.assert_allclose(of_the_build(found, LABELS[::-1], X), stacked, atol=1e-6)


@pytest.mark.parametrize(
    ("label", "classes"), [("spam", ("ham", "spam")), ("ham", ("ham", "spam")), ("x", (0, 1))]
)
def test_one_label_alone(tmp_path, label, classes):
    x = rows()
    estimator = LogisticRegression().fit(x, np.where(x[:, 0] > 0, classes[1], classes[0]))
    model = convert(estimator, {"zipmap": False})
    found = read_head(write_head(tmp_path, model, [label]), [label], WIDTH)
    column = 1 if label == "x" else classes.index(label)
    truth = estimator.predict_proba(X)[:, [column]]
    np.testing.assert_allclose(found.run(X)[1], truth, atol=1e-6)
    np.testing.assert_allclose(of_the_build(found, [label], X), truth, atol=1e-6)
    assert found.info.problem_type == "multi_label_classification"


@pytest.mark.parametrize("order", [["ham", "spam"], ["spam", "ham"]])
@pytest.mark.parametrize("option", OPTIONS)
def test_two_labels_of_one_classifier_are_a_softmax(tmp_path, option, order):
    x = rows()
    estimator = LogisticRegression().fit(x, np.where(x[:, 0] > 0, "spam", "ham"))
    model = convert(estimator, OPTIONS[option])
    found = read_head(write_head(tmp_path, model, order), order, WIDTH)
    truth = estimator.predict_proba(X)[:, [["ham", "spam"].index(label) for label in order]]
    np.testing.assert_allclose(found.run(X)[1], truth, atol=1e-6)
    np.testing.assert_allclose(of_the_build(found, order, X), truth, atol=1e-6)
    assert (found.info.problem_type, found.info.kind) == ("single_label_classification", "linear")


def test_names_that_do_not_say_which_column_is_which(tmp_path):
    """Strings of the labels stand in the file, and nothing ties them to columns: no order is guessed."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["z"]),
        helper.make_node("Sigmoid", ["z"], ["p"]),
        helper.make_node("Identity", ["names"], ["unused"]),
    ]
    constants = {"w": np.eye(WIDTH, 3, dtype=np.float32), "names": np.array(LABELS[::-1], object)}
    inputs = [helper.make_tensor_value_info("x", 1, ["N", WIDTH])]
    outputs = [helper.make_tensor_value_info("p", 1, ["N", 3])]
    tensors = [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "head", inputs, outputs, tensors)
    model = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 18)])
    with pytest.raises(
        HeadError, match=r"holds the names \['anger', 'joy', 'neutral'\], but not which column"
    ):
        read_head(write_head(tmp_path, model, LABELS), LABELS, WIDTH)


def swapped(layout, **more):
    order = [layout.order[1], layout.order[0], *layout.order[2:]]
    return replace(layout, order=order, **more)


@pytest.mark.parametrize(
    "kind", ["LogisticRegression", "SGD", "forest", "MLP", "SVC", "OneVsRest", "Calibrated"]
)
def test_a_head_whose_columns_are_taken_for_others_contradicts_itself(tmp_path, kind):
    model = convert(single(kind, "names"), {"zipmap": False})
    right = read_head(write_head(tmp_path, model, SORTED), SORTED, WIDTH).run
    wrong = original.OriginalHead("model.onnx", model, swapped(right._layout), SORTED)
    with pytest.raises(HeadError, match=r"^model\.onnx: chooses '.*' where another label is more probable$"):
        wrong(rows(seed=3, count=400))


def test_a_pair_the_other_way_round_contradicts_itself(tmp_path):
    model = named(fitted(KNOWN["other"]), WIDTH)
    layout = read_head(write_head(tmp_path, model, LABELS), LABELS, WIDTH).run._layout
    wrong = original.OriginalHead("model.onnx", model, replace(layout, yes=[1, *layout.yes[1:]]), LABELS)
    assert layout.yes[0] == 0
    with pytest.raises(HeadError, match=r"^model\.onnx: joy: decides against its own probabilities$"):
        wrong(X)
    # Without its choices nothing but the names would tell.
    original.OriginalHead("model.onnx", model, published(LABELS), LABELS)(X)


@pytest.mark.parametrize("stated", ["multi_label_classification", "single_label_classification"])
def test_a_problem_type_that_the_recipe_states_is_the_heads(tmp_path, stated):
    from core.recipe import HeadTable
    from export.head import published_head
    from tests.support.sources import source

    table = HeadTable(source="path:x", problem_type=stated)
    softmax = write_head(tmp_path / "a", convert(single("LogisticRegression", "names"), {}), SORTED)
    sigmoids = write_head(tmp_path / "b", named(fitted(KNOWN["0 and 1"]), WIDTH), LABELS)
    for folder, labels, own in ((softmax, SORTED, "single"), (sigmoids, LABELS, "multi")):
        if stated.startswith(own):
            assert published_head.read(source(folder), table, labels, WIDTH).info.problem_type == stated
        else:
            with pytest.raises(HeadError, match=f"head.problem_type is '{stated}', but its probabilities"):
                published_head.read(source(folder), table, labels, WIDTH)
