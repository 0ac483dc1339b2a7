"""Fold a published head: read its graph as logistic or softmax regressions, exactly, in float64.

A head whose every value is affine in the embedding, or the sigmoid of that, is one Gemm and one
Sigmoid; one whose labels are a softmax of such values is a Gemm and a Softmax. The first operator that is
anything else ends the attempt with its name. Rounding inside the original is not modelled: `proof.prove`
compares the result with it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from export.head.normal import needed
from export.head.operators import OPERATORS, Columns, NotLinearError, Value


def _constant(tensor: onnx.TensorProto) -> NDArray[Any]:
    array = numpy_helper.to_array(tensor)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _follow(graph: onnx.GraphProto, features: int, outputs: list[str]) -> list[Value]:
    """Return the given outputs of a head's graph as columns.

    Raises:
        NotLinearError: an operator that is not an affine map, or not the sigmoid of one.
    """
    values: dict[str, Value] = {tensor.name: _constant(tensor) for tensor in graph.initializer}
    # Files of an IR before 4 list the constants among the inputs.
    embedding = next(value.name for value in graph.input if value.name not in values)
    values[embedding] = Columns(np.eye(features), np.zeros(features))
    for node in needed(graph, outputs):
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        try:
            if node.op_type == "Constant" and "value" in attributes:
                results: list[Value] = [_constant(attributes["value"])]
            elif node.op_type in OPERATORS:
                inputs = [values[name] for name in node.input if name]
                results = OPERATORS[node.op_type](inputs, attributes)
            else:
                raise NotLinearError("is not an affine map")
        except (NotLinearError, KeyError, IndexError, ValueError) as error:
            reason = str(error) if isinstance(error, NotLinearError) else "has an unexpected form"
            raise NotLinearError(f"{node.op_type} {reason}") from error
        values.update(zip(node.output, results, strict=False))
    return [values[name] for name in outputs]


def _positive(value: Value) -> Columns:
    if not isinstance(value, Columns) or not value.is_pair():
        raise NotLinearError("an output is not a pair of probabilities that add up to one")
    return value.pick([1])


def fold(
    graph: onnx.GraphProto, features: int, outputs: list[str], count: int, *, softmax: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fold a head into logistic regressions, or one softmax regression.

    Args:
        graph: the head's graph; its first input is the embedding `[N, features]`.
        features: width of the embedding.
        outputs: one `(N, 2)` output a label, or the one output that holds all labels.
        count: number of labels.
        softmax: whether the labels share a probability of 1.

    Returns:
        weight `[features, labels]` and bias `[labels]`, in the order of `outputs`.

    Raises:
        NotLinearError: the head is something else; the message names the operator.
    """
    values = _follow(graph, features, outputs)
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0]
    if softmax:
        return _one_softmax(values[0], count)
    if len(values) == 1 and isinstance(values[0], Columns) and not values[0].is_pair():
        joined = [values[0]]
    else:
        joined = [_positive(value) for value in values]
    if not all(columns.link == "sigmoid" for columns in joined):
        raise NotLinearError("an output is not a probability of its own")
    labels = Columns.join(joined)
    if labels.bias.shape != (count,):
        raise NotLinearError(f"has {labels.bias.size} columns for {count} labels")
    return labels.weight, labels.bias


def _one_softmax(value: Value, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if not isinstance(value, Columns) or value.bias.shape != (count,) or not value.adds_up():
        raise NotLinearError("an output is not the softmax of an affine map")
    # softmax((-z/2, z/2)) = (sigmoid(-z), sigmoid(z))
    half = 0.5 if value.link == "sigmoid" else 1.0
    return value.weight * half, value.bias * half
