"""An artifact of another recipe for the tests of the page: one label of five a text, found by its own word.

`python -m tests.js.other ARTIFACT FOLDER` writes it, with ARTIFACT's tokenizer and manifest around a graph of
a few operators: probabilities are a softmax over how often each label's word is in the text.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

from core.disk.files import sha256_file

# Not in the order of the alphabet, and a label of two words that HTML would take for a tag.
LABELS = ["sport", "food", "<b>bold</b> travel", "music", "work"]
WORDS = ["sport", "food", "travel", "music", "work"]
# The longest bar of all is not named below it.
THRESHOLDS = dict(zip(LABELS, [0.0, 0.0, 0.0, 0.9, 0.0], strict=True))
TITLE = "What is it about?"
_FILES = ["tokenizer.json", "tokenizer_config.json"]


def _graph(tokenizer: Path) -> onnx.ModelProto:
    ids = Tokenizer.from_file(str(tokenizer))
    weights = np.zeros((ids.get_vocab_size(), len(LABELS)), np.float32)
    for column, word in enumerate(WORDS):
        weights[ids.token_to_id(word), column] = 2.0
    constants = {
        "weights": weights,
        "thresholds": np.array(list(THRESHOLDS.values()), np.float32),
        "on_off": np.array([False, True]),
        "depth": np.array(len(LABELS)),
        "axis": np.array([1]),
        "last": np.array([2]),
    }
    nodes = [
        helper.make_node("Gather", ["weights", "input_ids"], ["counted"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["mask_column"]),
        helper.make_node("Mul", ["counted", "mask_column"], ["present"]),
        helper.make_node("ReduceSum", ["present", "axis"], ["logits"], keepdims=0),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
        helper.make_node("ArgMax", ["logits"], ["highest"], axis=1, keepdims=0),
        helper.make_node("Cast", ["on_off"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("OneHot", ["highest", "depth", "values"], ["hot"]),
        helper.make_node("Cast", ["hot"], ["chosen"], to=TensorProto.BOOL),
        helper.make_node("GreaterOrEqual", ["probabilities", "thresholds"], ["reached"]),
        helper.make_node("And", ["chosen", "reached"], ["predictions"]),
    ]
    ids_of = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
        for name in ("input_ids", "attention_mask")
    ]
    kinds = {"logits": TensorProto.FLOAT, "probabilities": TensorProto.FLOAT, "predictions": TensorProto.BOOL}
    outputs = [helper.make_tensor_value_info(name, kind, ["batch", 5]) for name, kind in kinds.items()]
    stored = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "other", ids_of, outputs, stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write(artifact: Path, folder: Path) -> None:
    """Write the other artifact to `folder`, in place of what was there."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "onnx").mkdir(parents=True)
    for name in _FILES:
        shutil.copyfile(artifact / name, folder / name)
    onnx.save(_graph(artifact / "tokenizer.json"), folder / "onnx" / "model.onnx")
    config = {"id2label": {str(column): label for column, label in enumerate(LABELS)}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "thresholds.json").write_text(json.dumps(THRESHOLDS))
    manifest = json.loads((artifact / "manifest.json").read_text())
    manifest["name"] = "topics"
    recipe = manifest["recipe"] | {"name": "topics", "labels": {"names": LABELS}}
    recipe["card"] = {"title": TITLE, "examples": ["food and sport and food"], "license": "mit"}
    head = {"problem_type": "single_label_classification", "thresholds": THRESHOLDS}
    variants = [each for each in manifest["variants"] if each["name"] == "fp32"]
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    files = {
        path.relative_to(folder).as_posix(): {"size": path.stat().st_size, "sha256": sha256_file(path)}
        for path in paths
    }
    changed = {"recipe": recipe, "head": head, "variants": variants, "files": files}
    changed |= {"evaluations": [], "data": None}
    (folder / "manifest.json").write_text(json.dumps(manifest | changed))


if __name__ == "__main__":
    write(*map(Path, sys.argv[1:]))
