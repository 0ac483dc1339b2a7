"""Heads as scikit-learn and skl2onnx make them, and graphs of heads by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, compose, helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType

from core.recipe import HeadTable
from export.head import published_head
from tests.support.sources import source

OPSETS = {"": 18, "ai.onnx.ml": 3}
WIDTH = 8
LABELS = ["joy", "fear", "grief", "neutral"]
SHUFFLED = ["grief", "joy", "neutral", "fear"]


def data(width: int, labels: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings `[160, width]` of norm 1 and noisy linear truths, bool `[160, labels]`."""
    random = np.random.default_rng(seed)
    x = random.standard_normal((160, width))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    z = x @ random.standard_normal((width, labels)) + 0.2 * random.standard_normal((160, labels))
    return x, z > 0


def converted(estimator, width: int, tensor=FloatTensorType, opsets=OPSETS) -> onnx.ModelProto:
    return convert_sklearn(
        estimator,
        initial_types=[("logits", tensor([None, width]))],
        options={"zipmap": False},
        target_opset=opsets,
    )


def named(
    estimators: dict[str, object], width: int, tensor=FloatTensorType, opsets=OPSETS
) -> onnx.ModelProto:
    """Join one converted estimator a label; its `(N, 2)` probabilities are named as the label."""
    nodes, constants, outputs = [], [], []
    for index, (label, estimator) in enumerate(estimators.items()):
        model = converted(estimator, width, tensor, opsets)
        graph = compose.add_prefix_graph(model.graph, f"part{index}_", rename_inputs=False)
        found = graph.output[-1].name
        for node in graph.node:
            for names in (node.input, node.output):
                names[:] = [label if name == found else name for name in names]
        nodes.extend(graph.node)
        constants.extend(graph.initializer)
        kind = graph.output[-1].type.tensor_type.elem_type
        outputs.append(helper.make_tensor_value_info(label, kind, ["N", 2]))
    kind = model.graph.input[0].type.tensor_type.elem_type
    inputs = [helper.make_tensor_value_info("logits", kind, ["N", width])]
    graph = helper.make_graph(nodes, "head", inputs, outputs, constants)
    return helper.make_model(
        graph, ir_version=10, opset_imports=[helper.make_opsetid(*item) for item in opsets.items()]
    )


def graph(nodes: list, width: int, outputs: dict[str, list], constants: dict | None = None):
    """Put nodes by hand into a head's model: float input `x`, float outputs."""
    return helper.make_model(
        helper.make_graph(
            nodes,
            "head",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", width])],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                for name, shape in outputs.items()
            ],
            [onnx.numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
        ),
        ir_version=10,
        opset_imports=[helper.make_opsetid(*item) for item in OPSETS.items()],
    )


def write_head(folder: Path, model: onnx.ModelProto | bytes, labels: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    content = model if isinstance(model, bytes) else model.SerializeToString()
    (folder / "model.onnx").write_bytes(content)
    (folder / "thresholds.json").write_text(json.dumps(dict.fromkeys(labels, 0.5)), "utf-8")
    return folder


def read_head(folder: Path, labels: list[str], width: int) -> published_head.Head:
    return published_head.read(source(folder), HeadTable(source="path:x"), labels, width)


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.asarray(z, np.float64)))


def one_a_label(make):
    x, truth = data(WIDTH, len(LABELS))
    return {label: make().fit(x, truth[:, column]) for column, label in enumerate(LABELS)}


def answers(estimators, x):
    return np.stack([estimators[label].predict_proba(x)[:, 1] for label in LABELS], axis=1)


def probes():
    x = np.random.default_rng(9).standard_normal((64, WIDTH))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
