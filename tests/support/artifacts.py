"""Artifacts of a few kilobytes: a graph of the contract, a tokenizer, a reference, a manifest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

from core.artifact.metadata import Metadata
from core.contract import MULTI_LABEL, VARIANT_FILES
from export.reference.answers import write
from tests.support.factories import _tokenizer

LABELS = ["admiration", "joy", "<i>grief</i>|\x01"]
MAX_LENGTH = 64
LIMITS = [0.3, 0.5, 0.25]
WEIGHTS = [1.0, -2.0, 0.5]
TEXTS = ["a", "the a b c", "", "z z z z z z", "<script>alert(1)</script> \x00 & done", "b!", "qqq. the"]


def tokenizer() -> Tokenizer:
    found = _tokenizer([*"abcdefghijklmnopqrstuvwxyz", *(f"##{c}" for c in "abcxyzq"), "the", "!", "."])
    found.no_padding()
    found.enable_truncation(MAX_LENGTH)
    return found


def edited_tokenizer(path: str, value: object) -> dict[str, Any]:
    """Return the tokenizer's file with another value at a path of keys, such as `model.type`."""
    content = json.loads(tokenizer().to_str())
    *keys, last = path.split(".")
    place = content
    for key in keys:
        place = place[key]
    place[last] = value
    return content


def set_metadata(path: Path, **values: str) -> None:
    """Change entries of a graph's metadata."""
    model = onnx.load(path)
    helper.set_model_props(model, {prop.key: prop.value for prop in model.metadata_props} | values)
    onnx.save(model, path)


def answers(ids: list[list[int]], weights: list[float], bias: float) -> np.ndarray:
    """The graph's logits in float64 `[n, labels]`: the ids' sum less 40, a weight a label, one bias."""
    sums = np.array([sum(row) for row in ids], float)
    return ((sums - 40) / 40)[:, None] * np.array(weights) + bias


def _in_branches(nodes: list[onnx.NodeProto], outputs: list[onnx.ValueInfoProto]) -> list[onnx.NodeProto]:
    """Let an `If` choose between two copies of some nodes: as `int8` has it, one for a text alone."""
    made = {name for node in nodes for name in node.output}
    branches = {}
    for branch in ("then_branch", "else_branch"):
        copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
        ends = [onnx.ValueInfoProto.FromString(value.SerializeToString()) for value in outputs]
        for copy in copies:
            copy.input[:] = [f"{branch}_{name}" if name in made else name for name in copy.input]
            copy.output[:] = [f"{branch}_{name}" for name in copy.output]
        for end in ends:
            end.name = f"{branch}_{end.name}"
        branches[branch] = helper.make_graph(copies, branch, [], ends)
    return [
        helper.make_node("Shape", ["input_ids"], ["size"], start=0, end=1),
        helper.make_node("Equal", ["size", "axis"], ["alone"]),
        helper.make_node("If", ["alone"], [value.name for value in outputs], **branches),
    ]


def graph(
    path: Path,
    labels: list[str],
    weights: list[float],
    bias: float,
    encoder: str = "e" * 64,
    *,
    branches: bool = False,
) -> None:
    constants = {
        "axis": np.array([1], np.int64),
        "shift": np.array(40, np.float32),
        "weights": np.array([weights], np.float32) / 40,
        "bias": np.full(len(labels), bias, np.float32),
        "limits": np.array([LIMITS[LABELS.index(label)] for label in labels], np.float32),
    }
    nodes = [
        helper.make_node("Mul", ["input_ids", "attention_mask"], ["real"]),
        helper.make_node("Cast", ["real"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["cast", "axis"], ["sum"], keepdims=1),
        helper.make_node("Sub", ["sum", "shift"], ["shifted"]),
        helper.make_node("MatMul", ["shifted", "weights"], ["scaled"]),
        helper.make_node("Add", ["scaled", "bias"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["probabilities"]),
        helper.make_node("GreaterOrEqual", ["probabilities", "limits"], ["predictions"]),
    ]
    ids = [
        helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "sequence"])
        for n in ("input_ids", "attention_mask")
    ]
    types = {"logits": TensorProto.FLOAT, "probabilities": TensorProto.FLOAT, "predictions": TensorProto.BOOL}
    outputs = [helper.make_tensor_value_info(n, t, ["batch", len(labels)]) for n, t in types.items()]
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    if branches:
        nodes = _in_branches(nodes, outputs)
    model = helper.make_model(
        helper.make_graph(nodes, "tiny", ids, outputs, initializers),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    metadata = Metadata(
        labels=labels,
        thresholds={label: LIMITS[LABELS.index(label)] for label in labels},
        problem_type=MULTI_LABEL,
        pooling="x",
        normalize=True,
        features=[],
        max_length=MAX_LENGTH,
        recipe="x",
        encoder_sha256=encoder,
        head_sha256="d" * 64,
        quantization="x",
        toolchain_version="x",
    )
    helper.set_model_props(model, metadata.to_properties())
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)


def reference(path: Path, texts: list[str] = TEXTS) -> None:
    ids = [encoding.ids for encoding in tokenizer().encode_batch(texts)]
    logits = answers(ids, WEIGHTS, 0.0)

    def text(value: str) -> np.ndarray:
        return np.frombuffer(value.encode(), np.uint8)

    arrays = {
        "texts": text(json.dumps(texts)),
        "labels": text(json.dumps(LABELS)),
        "input_ids": np.array([token for row in ids for token in row], np.int32),
        "lengths": np.array([len(row) for row in ids], np.int32),
        "logits": logits.astype(np.float32),
        "probabilities": (1 / (1 + np.exp(-logits))).astype(np.float32),
        "thresholds": np.array(LIMITS),
        "problem_type": text(MULTI_LABEL),
        "encoder_sha256": text("e" * 64),
        "head_sha256": text("d" * 64),
    }
    write(path, arrays)


def listed(folder: Path) -> None:
    """List the files of a folder in its manifest, as they are now."""
    path = folder / "manifest.json"
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    content = json.loads(path.read_text())
    content["files"] = {
        name: {
            "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest(),
            "size": (folder / name).stat().st_size,
        }
        for name in names
        if name != "manifest.json"
    }
    path.write_text(json.dumps(content))


def artifact(folder: Path, biases: dict[str, float], *, labels: list[str] = LABELS, **limits: float) -> Path:
    """Write an artifact whose variants are off by `biases`; `limits` are their tolerances."""
    rows = []
    weights = [WEIGHTS[LABELS.index(label)] for label in labels]
    for name, bias in biases.items():
        file = folder / VARIANT_FILES[name]
        graph(file, labels, weights, bias, branches=name == "int8")
        tolerance = {"max_probability_error": None, "max_flip_rate": None, **limits}
        figures = {"max_probability_error": 0.0, "flip_rate": 0.0}
        rows.append(
            {
                "name": name,
                "file": VARIANT_FILES[name],
                "size": file.stat().st_size,
                "tolerance": tolerance,
                "parity": figures,
            }
        )
    tokenizer().save(str(folder / "tokenizer.json"))
    reference(folder / "reference.npz")
    (folder / "manifest.json").write_text(json.dumps({"variants": rows}))
    listed(folder)
    return folder
