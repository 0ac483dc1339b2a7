"""Read a published head, `model.onnx` and `thresholds.json`, by name and never by position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, version_converter

from core.build.facts import HeadInfo, check_thresholds
from core.contract import HEAD_FILE, MULTI_LABEL, OPSET, THRESHOLDS_FILE
from core.disk.files import replacing, write_bytes
from core.errors import HeadError
from core.recipe import HeadTable
from core.untrusted import json_file, limits, onnx_file, trial
from core.untrusted.regular_file import naming
from core.untrusted.wire import operators
from export.head import original
from export.head.fold import fold
from export.head.operators import NotLinearError
from export.sources.resolve import Source

_FLOATS = {TensorProto.FLOAT, TensorProto.DOUBLE}


@dataclass(frozen=True)
class Head:
    """A head that was read: its facts, the original to run, and either its weights or its graph."""

    info: HeadInfo
    run: original.OriginalHead
    weight_hl: NDArray[np.float32] | None
    bias_l: NDArray[np.float32] | None
    subgraph: onnx.ModelProto | None


def _check_labels(path: Path, stated: Sequence[str], labels: Sequence[str]) -> None:
    """Check that a file states the recipe's labels, in any order.

    Raises:
        HeadError: a label is missing, unknown or a duplicate; the message names the file and the label.
    """
    for label in stated:
        if stated.count(label) > 1:
            raise HeadError(f"{path}: duplicate label {label!r}")
        if label not in labels:
            raise HeadError(f"{path}: label {label!r} is unknown to the recipe")
    for label in labels:
        if label not in stated:
            raise HeadError(f"{path}: label {label!r} of the recipe is missing")


def read_thresholds(path: Path, labels: Sequence[str]) -> dict[str, float]:
    """Read `thresholds.json`; return label → threshold in the order of `labels`.

    Raises:
        HeadError: not JSON; a label missing, unknown or a duplicate; a threshold that is not a number
            between 0 and 1.
    """
    thresholds = json_file.read(path, HeadError, limits.THRESHOLDS_BYTES, "label")
    if not isinstance(thresholds, dict):
        raise HeadError(f"{path}: expected one object, label to threshold")
    _check_labels(path, list(thresholds), labels)
    return check_thresholds(thresholds, labels, MULTI_LABEL, path, HeadError)


def load(path: Path) -> onnx.ModelProto:
    """Read a head's ONNX file.

    Raises:
        HeadError: not ONNX, not accepted by `onnx_file`, or not valid by onnx's own checker.
    """
    onnx_file.check(path, operators.HEAD, HeadError, limits.HEAD_BYTES)
    # protobuf's exceptions and the checker's share no base.
    with naming(path, HeadError, "not an ONNX file", Exception):
        model = onnx.load(path, load_external_data=False)
        onnx.checker.check_model(model)
    return model


def _check_input(path: Path, graph: onnx.GraphProto, features: int) -> None:
    if features > limits.FEATURES:
        expected = f"expected at most {limits.FEATURES:,}"
        raise HeadError(f"{path}: the recipe's features are {features:,}, {expected}")
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1 or inputs[0].type.tensor_type.elem_type not in _FLOATS:
        names = [value.name for value in inputs]
        raise HeadError(f"{path}: found inputs {names}, expected one float tensor [N, {features}]")
    dims = inputs[0].type.tensor_type.shape.dim
    width = dims[1].dim_value if len(dims) == 2 else 0
    if len(dims) != 2 or (width and width != features):
        shape = [dim.dim_value or dim.dim_param or "?" for dim in dims]
        expected = f"expected [N, {features}], the encoder's embedding"
        raise HeadError(f"{path}: input {inputs[0].name}: found shape {shape}, {expected}")


def _layout(path: Path, graph: onnx.GraphProto, labels: Sequence[str]) -> tuple[original.Layout, list[str]]:
    names = [value.name for value in graph.output]
    if not set(names) & set(labels):
        sequences = [value.name for value in graph.output if value.type.HasField("sequence_type")]
        columns = [value.name for value in graph.output if value.type.tensor_type.elem_type in _FLOATS]
        if len(sequences) + len(columns) == 1:
            return "sequence" if sequences else "columns", sequences + columns
    _check_labels(path, names, labels)
    return "named", names


def _fold(
    model: onnx.ModelProto, run: original.OriginalHead, outputs: list[str], shape: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    weight, bias = fold(model.graph, shape[0], outputs, shape[1])
    weight_hl, bias_l = weight.astype(np.float32), bias.astype(np.float32)
    error = original.prove(run, weight_hl, bias_l)
    if error > original.FOLD_TOLERANCE:
        raise NotLinearError(f"the fold is off by {error:.1e}, over {original.FOLD_TOLERANCE:.0e}")
    return weight_hl, bias_l, error


def _subgraph(path: Path, model: onnx.ModelProto) -> onnx.ModelProto:
    versions: dict[str, int] = {}
    for opset in model.opset_import:
        domain = "" if opset.domain == "ai.onnx" else opset.domain
        if versions.setdefault(domain, opset.version) != opset.version:
            raise HeadError(f"{path}: imports two versions of the operators {opset.domain or 'ai.onnx'}")
    # Merged models often import a domain twice, of which the converter would change one.
    single = onnx.ModelProto()
    single.CopyFrom(model)
    constants = {tensor.name for tensor in single.graph.initializer}
    for value in [value for value in single.graph.input if value.name in constants]:
        single.graph.input.remove(value)
    del single.opset_import[:]
    single.opset_import.extend(helper.make_opsetid(*item) for item in versions.items())
    if versions.get("", OPSET) == OPSET:
        return single
    # The C++ converter raises several bare kinds.
    with naming(path, HeadError, f"opset {versions['']} cannot be converted to {OPSET}", Exception):
        return version_converter.convert_version(single, OPSET)


def read(source: Source, stated: HeadTable, labels: Sequence[str], features: int) -> Head:
    """Read a published head, fold it where it is plain logistic regressions, and prove the fold.

    Args:
        stated: the recipe's table of the head.
        labels: the recipe's, which the head's must equal.
        features: width of the encoder's embedding.

    Raises:
        SourceError: a file is missing or has another hash.
        HeadError: the head or its thresholds don't fit the format or the recipe.
    """
    hashes = source.hashes((HEAD_FILE, THRESHOLDS_FILE), stated.sha256)
    path = source.file(HEAD_FILE)
    thresholds = read_thresholds(source.file(THRESHOLDS_FILE), labels)
    model = load(path)
    _check_input(path, model.graph, features)
    rows = min(original.probe_count(features), limits.TRIAL_ELEMENTS // features)
    trial.check(path, HeadError, (rows, features))
    layout, outputs = _layout(path, model.graph, labels)
    ordered = list(labels) if layout == "named" else outputs
    run = original.OriginalHead(str(path), model, layout, ordered)
    shape = run(original.probes(features)[:4])[1].shape
    if shape[1] != len(labels):
        raise HeadError(f"{path}: found {shape[1]} columns, expected {len(labels)}, one a label")
    weight_hl = bias_l = subgraph = error = None
    try:
        weight_hl, bias_l, error = _fold(model, run, ordered, (features, len(labels)))
        reason = "every label is a plain logistic regression"
    except NotLinearError as refusal:
        reason, subgraph = str(refusal), _subgraph(path, model)
    info = HeadInfo(
        source=source.origin,
        revision=source.revision,
        sha256=hashes,
        kind="subgraph" if weight_hl is None else "linear",
        reason=reason,
        problem_type=MULTI_LABEL,
        columns_from="names" if layout == "named" else "recipe",
        layout=layout,
        output=None if layout == "named" else outputs[0],
        labels=list(labels),
        output_order=outputs if layout == "named" else list(labels),
        thresholds=thresholds,
        fold_error=error,
    )
    return Head(info, run, weight_hl, bias_l, subgraph)


def write(head: Head, folder: Path) -> None:
    """Write `head.npz` (float32 `weight_hl`, `bias_l`) or `head.onnx`, and then `head.json`."""
    if head.subgraph is not None:
        write_bytes(folder / "head.onnx", head.subgraph.SerializeToString(deterministic=True))
    if head.weight_hl is not None and head.bias_l is not None:
        with replacing(folder / "head.npz") as temporary, temporary.open("wb") as file:
            np.savez(file, weight_hl=head.weight_hl, bias_l=head.bias_l)
    head.info.write(folder / "head.json")
