"""Read a published head, `model.onnx` and `thresholds.json`, by name and never by position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from core.build.facts import HeadInfo
from core.contract import OPSET, SINGLE_LABEL, ProblemType
from core.disk.files import replacing, write_bytes
from core.errors import HeadError
from core.recipe import HeadTable, ThresholdsTable
from core.untrusted import limits
from core.untrusted.limited import allowance
from core.untrusted.limited.process import Process
from core.untrusted.regular_file import FIELD_ERRORS, naming
from export.head import files, original, parsed, problem_type, proof, thresholds
from export.head.fold import fold
from export.head.layout import Layout
from export.head.normal import Normal, normalise
from export.head.operators import NotLinearError
from export.head.reader import Reader
from export.sources.resolve import Source

_FLOATS = {TensorProto.FLOAT, TensorProto.DOUBLE}
# Embeddings that tell the shapes of a head's answers; no head has as many labels as this by chance alone.
_SAMPLE = 61
_CONVERTER = "export.head.opset_service"
_NO_HEAD = "cannot be read as a head"


@dataclass(frozen=True)
class Head:
    """A head that was read: its facts, the original to run, and either its weights or its graph."""

    info: HeadInfo
    run: original.OriginalHead
    weight_hl: NDArray[np.float32] | None
    bias_l: NDArray[np.float32] | None
    subgraph: onnx.ModelProto | None


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


def _fold(
    normal: Normal, run: original.OriginalHead, features: int, labels: Sequence[str], *, softmax: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    count = len(labels)
    weight, bias = fold(normal.model.graph, features, normal.outputs, count, softmax=softmax)
    columns = [normal.order.index(label) for label in labels]
    weight_hl, bias_l = weight[:, columns].astype(np.float32), bias[columns].astype(np.float32)
    error = proof.prove(run, weight_hl, bias_l, softmax=softmax)
    if error > proof.FOLD_TOLERANCE:
        raise NotLinearError(f"the fold is off by {error:.1e}, over {proof.FOLD_TOLERANCE:.0e}")
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
    del single.opset_import[:]
    single.opset_import.extend(helper.make_opsetid(*item) for item in versions.items())
    if versions.get("", OPSET) == OPSET:
        return single
    # The converter is C++, and crashes on some models.
    content, process = single.SerializeToString(), Process(_CONVERTER, path, HeadError)
    allowed, values = allowance.opening(len(content)), [np.frombuffer(content, np.uint8)]
    allowed = allowed._replace(answer=limits.HEAD_BYTES)
    try:
        with naming(path, HeadError, f"opset {versions['']} cannot be converted to {OPSET}", Exception):
            _, (converted,) = process.call("convert", {"opset": OPSET}, values, allowed)
    finally:
        process.close()
    return parsed.parse(path, converted.tobytes())


def _layout(
    path: Path,
    model: onnx.ModelProto,
    labels: Sequence[str],
    stated: Sequence[str] | None,
    samples: original.Answers,
) -> Layout:
    with naming(path, HeadError, _NO_HEAD, *FIELD_ERRORS):
        return Reader(path, model, labels, stated).read(samples)


def open_original(
    source: Source, labels: Sequence[str], kind: ProblemType, features: int, threads: int = 0
) -> original.OriginalHead:
    """Open a head that `read` accepted, to run it.

    Raises:
        HeadError: as `read`.
    """
    path = files.find(source)
    model = files.load(path, labels, kind)
    session = original.open_head(str(path), model, threads)
    samples = original.answer(str(path), session, proof.probes(features)[:_SAMPLE])
    layout = _layout(path, model, labels, None, samples)
    return original.OriginalHead(str(path), model, layout, labels, threads)


def read(
    source: Source,
    stated: HeadTable,
    labels: Sequence[str],
    features: int,
    table: ThresholdsTable | None = None,
    recipe: Path = Path(),
) -> Head:
    """Read a published head, fold it where it is one Gemm, and prove the fold.

    Args:
        stated: the recipe's table of the head.
        labels: the recipe's, which the head's must equal.
        features: width of the encoder's embedding.
        table: the recipe's table of thresholds; left out, they are beside the head, and complete.
        recipe: the recipe's folder, which paths in the table are relative to.

    Raises:
        SourceError: a file is missing or has another hash.
        HeadError: the head or its thresholds don't fit the format or the recipe.
    """
    path = files.find(source)
    hashes = source.hashes((path.name,), stated.sha256)
    limits_of = thresholds.read(source, table or ThresholdsTable(), recipe, labels)
    model = files.load(path, labels, stated.problem_type)
    _check_input(path, model.graph, features)
    probes = proof.probes(features)
    samples = original.answer(str(path), original.open_head(str(path), model), probes[:_SAMPLE])
    layout = _layout(path, model, labels, limits_of.order, samples)
    run = original.OriginalHead(str(path), model, layout, labels)
    with naming(path, HeadError, _NO_HEAD, *FIELD_ERRORS):
        normal = normalise(model, layout)
    kind = problem_type.tell(path, layout, run(probes)[1], stated.problem_type)
    softmax = kind == SINGLE_LABEL
    weight_hl = bias_l = subgraph = error = None
    try:
        weight_hl, bias_l, error = _fold(normal, run, features, labels, softmax=softmax)
        reason = "one softmax regression" if softmax else "every label is a plain logistic regression"
    except NotLinearError as refusal:
        reason, subgraph = str(refusal), _subgraph(path, normal.model)
    info = HeadInfo(
        source=source.origin,
        revision=source.revision,
        sha256=hashes | limits_of.sha256,
        kind="subgraph" if weight_hl is None else "linear",
        reason=reason,
        problem_type=kind,
        columns_from=layout.columns_from,
        layout=normal.layout,
        output=None if normal.layout == "named" else normal.outputs[0],
        labels=list(labels),
        output_order=normal.order,
        thresholds=limits_of.of(labels, kind),
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
