"""Write the published head format: one `(N, 2)` output a label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, compose, helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.linear_model import LogisticRegression

from core.contract import HEAD_INPUT, IR_VERSION, OPSET, PRODUCER

_OPSETS = {"": OPSET, "ai.onnx.ml": 3}


def _label_graph(index: int, classifier: LogisticRegression, hidden: int) -> onnx.GraphProto:
    model = convert_sklearn(
        classifier,
        initial_types=[(HEAD_INPUT, FloatTensorType([None, hidden]))],
        options={"zipmap": False, "output_class_labels": False},
        target_opset=_OPSETS,
    )
    return compose.add_prefix_graph(model.graph, f"label_{index}_", rename_inputs=False)


def classifier(weight_h: NDArray[np.float64], bias: float) -> LogisticRegression:
    """Return the binary classifier that has this weight `[features]` and bias."""
    regression = LogisticRegression()
    regression.coef_, regression.intercept_ = weight_h[None], np.array([bias])
    regression.classes_, regression.n_features_in_ = np.array([0, 1]), len(weight_h)
    return regression


def head_model(labels: Sequence[str], classifiers: Sequence[LogisticRegression]) -> onnx.ModelProto:
    """Put one binary classifier a label into one graph.

    Returns:
        A model with input `logits` float32 `[N, hidden]` and one output a label, named as the
        label, float32 `[N, 2]` (negative, positive).
    """
    hidden = classifiers[0].n_features_in_
    nodes, initializers = [], []
    for index, (label, classifier) in enumerate(zip(labels, classifiers, strict=True)):
        graph = _label_graph(index, classifier, hidden)
        probabilities = graph.output[-1].name
        for node in graph.node:
            node.output[:] = [label if name == probabilities else name for name in node.output]
            nodes.append(node)
        initializers.extend(graph.initializer)
    inputs = [helper.make_tensor_value_info(HEAD_INPUT, TensorProto.FLOAT, ["N", hidden])]
    outputs = [helper.make_tensor_value_info(label, TensorProto.FLOAT, ["N", 2]) for label in labels]
    model = helper.make_model(
        helper.make_graph(nodes, "head", inputs, outputs, initializers),
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()],
        producer_name=PRODUCER,
    )
    onnx.checker.check_model(model, full_check=True)
    return model
