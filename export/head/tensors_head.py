"""Read a head in safetensors: `weight` `[labels, features]`, `bias` `[labels]`, and names in the metadata.

The metadata has `labels`, a JSON list in the order of the rows, and `problem_type`, which says whether the
answers are sigmoids or a softmax.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
import onnx
from onnx import helper, numpy_helper

from core.contract import IR_VERSION, OPSET, SINGLE_LABEL, ProblemType
from core.errors import CheckpointError, HeadError
from core.untrusted import json_file, limits, weights_file
from export.head.layout import check_labels


def _problem_type(path: Path, stated: str | None, recipe: ProblemType | None) -> str:
    known = [kind for kind in (stated, recipe) if kind is not None]
    if not known or len(set(known)) > 1 or known[0] not in get_args(ProblemType):
        expected = f"expected one of {', '.join(get_args(ProblemType))}"
        where = "problem_type: of its metadata and the recipe's [head]"
        raise HeadError(f"{path}: {where}: found {' and '.join(known) or 'none'}, {expected}")
    return known[0]


def read(path: Path, labels: Sequence[str], problem_type: ProblemType | None) -> onnx.ModelProto:
    """Read a head and return it as a model, one output a label and named as it, each `(N, 1)`.

    Without names in the metadata the model has one output for all labels.

    Args:
        labels: the recipe's.
        problem_type: what the recipe states, or None.

    Raises:
        HeadError: damaged, or not of that form; nothing says whether it is single-label.
    """
    try:
        arrays, metadata = weights_file.read_small(path, limits.HEAD_BYTES)
    except CheckpointError as error:
        raise HeadError(str(error)) from error
    shapes = {name: array.shape for name, array in arrays.items()}
    weight, bias = arrays.get("weight"), arrays.get("bias")
    if weight is None or bias is None or weight.ndim != 2 or bias.shape != weight.shape[:1]:
        expected = "expected weight [labels, features] and bias [labels]"
        raise HeadError(f"{path}: found tensors {dict(list(shapes.items())[:4])}, {expected}")
    kind = _problem_type(path, metadata.get("problem_type"), problem_type)
    names = None
    if "labels" in metadata:
        names = json_file.loads(metadata["labels"], f"{path}: labels", HeadError)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise HeadError(f"{path}: labels of its metadata: expected a JSON list of names")
        check_labels(path, names, labels)
        if len(names) != len(weight):
            raise HeadError(f"{path}: weight: found {len(weight)} rows for {len(names)} labels")
    if kind == SINGLE_LABEL and len(weight) < 2:
        raise HeadError(f"{path}: weight: found {len(weight)} row of a softmax, expected two or more")
    dtype = np.result_type(weight, bias)
    return _model(weight.astype(dtype), bias.astype(dtype), names, kind)


def _model(weight: np.ndarray, bias: np.ndarray, names: list[str] | None, kind: str) -> onnx.ModelProto:
    # Longer than any label, so none of these is one.
    inside = "_" * (max(map(len, names or [""])) + 1)
    x, w, b, z, p = (inside + letter for letter in "xwbzp")
    link = helper.make_node("Sigmoid", [z], [p])
    if kind == SINGLE_LABEL:
        link = helper.make_node("Softmax", [z], [p], axis=1)
    nodes = [helper.make_node("Gemm", [x, w, b], [z], transB=1), link]
    element = helper.np_dtype_to_tensor_dtype(weight.dtype)
    outputs = [helper.make_tensor_value_info(p, element, ["N", len(weight)])]
    if names is not None:
        nodes.append(helper.make_node("Split", [p], names, axis=1, num_outputs=len(names)))
        outputs = [helper.make_tensor_value_info(name, element, ["N", 1]) for name in names]
    graph = helper.make_graph(
        nodes,
        "head",
        [helper.make_tensor_value_info(x, element, ["N", weight.shape[1]])],
        outputs,
        [numpy_helper.from_array(weight, w), numpy_helper.from_array(bias, b)],
    )
    return helper.make_model(graph, ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)])
