"""Heads whose answers are not a pair of probabilities for every label."""

from __future__ import annotations

import re

import numpy as np
import pytest
from onnx import helper

from core.errors import HeadError
from tests.support.heads import graph, read_head, write_head

LABELS = ["joy", "fear", "neutral"]
WIDTH = 8


def refused(folder, message, labels=LABELS):
    with pytest.raises(HeadError, match=f"^{re.escape(str(folder / 'model.onnx'))}: .*{message}"):
        read_head(folder, labels, WIDTH)


def node(operator, inputs, outputs, **attributes):
    return helper.make_node(operator, inputs.split(), outputs.split(), **attributes)


CLASSES = {"w": np.ones((WIDTH, 3), np.float32), "one": np.array([1]), "nan": np.float32("nan")}


@pytest.mark.parametrize(
    ("nodes", "rank", "message"),
    [
        ([node("MatMul", "x w", "p")], 2, "are not probabilities"),
        ([node("MatMul", "x w", "z"), node("Mul", "z nan", "p")], 2, "are not probabilities"),
        ([node("Sigmoid", "x", "p")], 2, "found 8 columns, expected 3"),
        ([node("Sigmoid", "x", "s"), node("ReduceMean", "s one", "p", keepdims=0)], 1, "found shape"),
        ([node("Sigmoid", "x", "s"), node("ReduceMean", "s", "p", keepdims=0)], 0, "found shape"),
        ([node("Sigmoid", "x", "s"), node("Unsqueeze", "s one", "p")], 3, "found (shape|1 columns)"),
        ([node("Nonsense", "x", "p")], 2, "operator 'Nonsense' is not one of those accepted"),
    ],
    ids=["logits", "nan", "too many columns", "one axis", "no axis", "three axes", "unknown operator"],
)
def test_columns_that_are_not_probabilities_of_the_labels(tmp_path, nodes, rank, message):
    write_head(tmp_path, graph(nodes, WIDTH, {"p": [None] * rank}, CLASSES), LABELS)
    refused(tmp_path, message)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (
            [node("Slice", "x zero two one", "z"), node("Sigmoid", "z", "joy")],
            "joy: .*not probabilities of no and yes",
        ),
        ([node("MatMul", "x w", "z"), node("Softmax", "z", "joy")], r"output joy: found shape \(\d+, 3\)"),
    ],
)
def test_a_named_output_that_is_no_pair(tmp_path, nodes, message):
    constants = CLASSES | {"zero": np.array([0]), "two": np.array([2])}
    write_head(tmp_path, graph(nodes, WIDTH, {"joy": [None, None]}, constants), ["joy"])
    refused(tmp_path, message, ["joy"])


@pytest.mark.parametrize("parts", [["pair", "pair", "three"], ["pair"], []])
def test_a_sequence_that_is_not_one_pair_a_label(tmp_path, parts):
    constants = CLASSES | {"zero": np.array([0]), "two": np.array([2])}
    join = helper.make_node("SequenceConstruct", parts, ["p"]) if parts else node("SequenceEmpty", "", "p")
    nodes = [
        node("Slice", "x zero two one", "z"),
        node("Softmax", "z", "pair"),
        node("MatMul", "x w", "y"),
        node("Softmax", "y", "three"),
        join,
    ]
    model = graph(nodes, WIDTH, {"p": None}, constants)
    model.graph.output[0].CopyFrom(helper.make_tensor_sequence_value_info("p", 1, None))
    write_head(tmp_path, model, LABELS)
    refused(tmp_path, "found ")
