"""Real files of every kind that the readers take, small: what the fuzzer changes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from onnx import helper
from safetensors.numpy import save_file
from skl2onnx.common.data_types import DoubleTensorType
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier

from tests.fuzz.labels import LABELS, WIDTH
from tests.support import artifacts, heads, shapes
from tests.support.factories import Shape, write_checkpoint
from tests.support.factories import write_head as write_published
from tests.support.places import DEFAULT, ROOT


def _by_hand() -> object:
    """Return a head of many operators: a sequence of pairs, made by slicing, scaling, a branch of `If`."""
    outputs = {label: ["N", 2] for label in LABELS}
    random = np.random.default_rng(3)
    constants = {
        "w": random.standard_normal((WIDTH, 2 * len(LABELS))).astype(np.float32),
        "b": np.zeros(2 * len(LABELS), np.float32),
        "one": np.array([1], np.int64),
        **{f"start{i}": np.array([2 * i], np.int64) for i in range(len(LABELS) + 1)},
    }
    nodes = [
        helper.make_node("LpNormalization", ["x"], ["n"], axis=1),
        helper.make_node("MatMul", ["n", "w"], ["m"]),
        helper.make_node("Add", ["m", "b"], ["z"]),
        helper.make_node("Relu", ["z"], ["r"]),
    ]
    for index, label in enumerate(LABELS):
        bounds = [f"start{index}", f"start{index + 1}", "one"]
        nodes.append(helper.make_node("Slice", ["r", *bounds], [f"s{index}"]))
        nodes.append(helper.make_node("Softmax", [f"s{index}"], [label], axis=1))
    return heads.graph(nodes, WIDTH, outputs, constants)


def write_heads(folder: Path) -> None:
    """Write heads of the kinds that are read, over names and integers."""
    write_published(folder / "linear", LABELS, WIDTH, shuffled=True)
    double = heads.named(heads.one_a_label(LogisticRegression), WIDTH, DoubleTensorType)
    heads.write_head(folder / "double", double, LABELS)
    x, truth = heads.data(WIDTH, len(LABELS))
    layers = MLPClassifier((6,), max_iter=300, random_state=0).fit(x, truth)
    heads.write_head(folder / "layers", heads.converted(layers, WIDTH), LABELS)
    trees = heads.one_a_label(lambda: DecisionTreeClassifier(max_depth=3, random_state=0))
    heads.write_head(folder / "tree", heads.named(trees, WIDTH), LABELS)
    heads.write_head(folder / "hand", _by_hand(), LABELS)
    names = np.array(LABELS)[np.arange(len(x)) % len(LABELS)]
    softmax = LogisticRegression().fit(x, names)
    for name, options in (("zipmap", {}), ("vectors", {"zipmap": "columns"})):
        heads.write_head(folder / name, shapes.convert(softmax, options, WIDTH), LABELS)
    stochastic = SGDClassifier(loss="log_loss", random_state=0).fit(x, names)
    heads.write_head(folder / "chosen", shapes.convert(stochastic, {"zipmap": False}, WIDTH), LABELS)
    own = {label: LogisticRegression().fit(x, np.where(names == label, label, "other")) for label in LABELS}
    heads.write_head(folder / "own", heads.named(own, WIDTH), LABELS)
    (folder / "tensors").mkdir()
    tensors = {"weight": softmax.coef_.astype(np.float32), "bias": softmax.intercept_.astype(np.float32)}
    metadata = {"labels": json.dumps(sorted(LABELS)), "problem_type": "multi_label_classification"}
    save_file(tensors, folder / "tensors" / "head.safetensors", metadata)
    shutil.copy(folder / "own" / "thresholds.json", folder / "tensors")


def write_recipes(folder: Path) -> None:
    """Write the recipes of this project."""
    for path in sorted((ROOT / "recipes").glob("*/recipe.toml")):
        (folder / path.parent.name).mkdir(parents=True)
        shutil.copy(path, folder / path.parent.name)


def write_thresholds(folder: Path) -> None:
    """Write a few thresholds, and the published head's labels."""
    for name, labels in (("few", LABELS), ("many", [f"label {index}" for index in range(40)])):
        (folder / name).mkdir(parents=True)
        content = {label: round(0.05 + index / 50, 2) for index, label in enumerate(labels)}
        (folder / name / "thresholds.json").write_text(json.dumps(content, indent=2), "utf-8")
    shutil.copytree(DEFAULT, folder / "default", ignore=lambda _, names: {*names} - {"thresholds.json"})


def write_artifacts(folder: Path) -> None:
    """Write an artifact of two variants, whose parity holds."""
    artifacts.artifact(folder / "tiny", {"fp32": 0.0, "int8": 1e-4}, max_probability_error=1e-3)


def write_encoders(folder: Path) -> None:
    """Write a checkpoint of one layer; its weights are left small, for they are not read."""
    write_checkpoint(folder / "bert", Shape(1, 2, 8, 12, 16), "mean")


WRITERS = {
    "head": write_heads,
    "recipe": write_recipes,
    "thresholds": write_thresholds,
    "artifact": write_artifacts,
    "encoder": write_encoders,
}


def write(reader: str, folder: Path) -> None:
    """Write the seeds of a reader anew: a folder for each, of the files that it reads."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    WRITERS[reader](folder)
