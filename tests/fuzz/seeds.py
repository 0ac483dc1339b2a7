"""`python -m tests.fuzz.seeds`: write small real files of every kind into the corpus, to begin with.

Needs the build's environment, which makes them; what fuzzes needs none of it.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from onnx import helper
from safetensors.numpy import save_file
from skl2onnx.common.data_types import DoubleTensorType
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier

from core.artifact import manifest
from core.untrusted.limited import frames
from tests.fuzz import packed
from tests.fuzz.labels import LABELS, WIDTH
from tests.fuzz.readers import CORPUS
from tests.support import artifacts, heads, shapes
from tests.support.factories import Shape, write_checkpoint
from tests.support.factories import write_head as write_published
from tests.support.places import ROOT


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


def write_artifacts(folder: Path) -> None:
    """Write an artifact of two variants, whose parity holds."""
    artifacts.artifact(folder / "tiny", {"fp32": 0.0, "int8": 1e-4}, max_probability_error=1e-3)


# Quotes, line breaks and empty fields as csv_records' expressions tell them apart.
_CSV = {
    "plain": b"text,n\na,1\nb,2\n",
    "quoted": b'text,"n, m"\r\n"a ""b"" c","1\n2"\r\n"","\xc3\xa9"\r\n,x"y"z\r\n"a"b,\r\n',
    "one-column": b'text\n\n""\na\n\nb',
    "returns": b'text,n\r"a\rb",1\r\n\r\nc,"\n"\r',
}
_JSON_LINES = {
    "plain": b'{"text": "a", "n": 1}\n{"text": null, "n": 2.5}\n\n{"n": null}\n',
    "nested": b'{"text": "a \\ud83d\\ude00", "l": [{"a": 1, "b": [true]}, null], "o": {"x": "\xc3\xa9"}}\r\n'
    b'{"l": [], "o": {"y": -0.5e-3}, "text": "b"}',
    "numbers": b'{"text": "a", "n": -9223372036854775808}\n{"text": "b", "n": 9007199254740993}\n',
}


_ANSWERS = [
    *(np.arange(6, dtype=np.float32).reshape(2, 3), np.array([["a", "é"]], object), np.array(True), None),
    *([np.zeros((0, 2), np.int64), np.ones(1, np.float16)], [{"x": 0.5, "y": 1.0}, {"x": 0.0, "y": 2.0}]),
]


def _zipped(folder: Path, compress: int) -> bytes:
    path = folder / "any.zip"
    with zipfile.ZipFile(path, "w", compress) as archive:
        archive.writestr("schema.json", json.dumps({"content": {}, "__module__": "sklearn"}))
        archive.writestr("1.npy", (folder / "any.npy").read_bytes())
    return path.read_bytes()


def _arrays(folder: Path) -> Iterator[tuple[str, str, bytes]]:
    arrays = {"texts": np.frombuffer(b'["a"]', np.uint8), "ids": np.arange(6, dtype=np.int32).reshape(2, 3)}
    arrays |= {"names": np.array(["a", "bc"]), "none": np.zeros((0, 2), np.float64)}
    for name, save in (("stored", np.savez), ("packed", np.savez_compressed)):
        save(folder / name, **arrays)
        yield "npz", name, (folder / f"{name}.npz").read_bytes()
    np.save(folder / "any.npy", arrays["ids"])
    yield "zip", "stored", _zipped(folder, zipfile.ZIP_STORED)
    yield "zip", "packed", _zipped(folder, zipfile.ZIP_DEFLATED)


def _sources(folder: Path) -> Iterator[tuple[str, str, bytes]]:
    """Make heads and an encoder, and what readers of one file read of them."""
    write_heads(folder / "heads")
    for head in sorted((folder / "heads").iterdir()):
        yield "head", head.name, packed.pack(packed.files_of(head))
        if (head / "model.onnx").exists():
            yield "onnx", head.name, (head / "model.onnx").read_bytes()
        else:
            yield "weights", head.name, (head / "head.safetensors").read_bytes()
    shape = Shape(1, 2, 8, 12, 16)
    write_checkpoint(folder / "bert", shape, "mean")
    write_checkpoint(folder / "roberta", shape, "mean", kind="roberta")
    for name in ("bert", "roberta"):
        files = packed.files_of(folder / name)
        yield "encoder", name, packed.pack(files)
        yield "tokenizer", name, files["tokenizer.json"]
    header = files["model.safetensors"]
    yield "weights", "encoder", header


def seeds(folder: Path) -> Iterator[tuple[str, str, bytes]]:
    """Yield the reader, name and bytes of every seed; `folder` is scratch."""
    yield from _sources(folder)
    yield from _arrays(folder)
    write_artifacts(folder)
    artifact = folder / "tiny"
    files = packed.files_of(artifact)
    yield "artifact", "tiny", packed.pack(files)
    yield "onnx", "fp32", files["onnx/model.onnx"]
    yield "onnx", "int8", files["onnx/model_quantized.onnx"]
    rows = json.loads(files["manifest.json"])["variants"]
    text = {"file": "onnx/model_text.onnx", "variant": "fp32"}
    stated = {"name": "tiny", "variants": rows, "text": text, "files": manifest.files(artifact)}
    yield "manifest", "tiny", manifest.sealed(stated).encode()
    yield "json", "tiny", json.dumps(stated, indent=2).encode()
    yield "json", "values", b'[null, true, 1, -0.5e-3, "\\ud83d\\ude00", {"a": [[]], "": {}}]'
    for path in sorted((ROOT / "recipes").glob("*/recipe.toml")):
        yield "recipe", path.parent.name, path.read_bytes()
    yield "frames", "values", b"".join(frames.pack({"number": 1}, _ANSWERS))
    few = {label: round(0.05 + index / 50, 2) for index, label in enumerate(LABELS)}
    yield "thresholds", "few", json.dumps(few).encode()
    shards = [f"model-0000{part}-of-00002.safetensors" for part in (1, 2)]
    weight_map = {"a.weight": shards[0], "b.bias": shards[1]}
    yield "index", "two", json.dumps({"metadata": {"total_size": 4}, "weight_map": weight_map}).encode()
    for name, content in _CSV.items():
        yield "csv", name, content
        yield "delimited", name, content
    yield "delimited", "tabs", b'text\tlabels\na b\t1,2\n"c\t3\r\n'
    for name, content in _JSON_LINES.items():
        yield "jsonl", name, content


def main() -> None:
    """Write all of them."""
    with tempfile.TemporaryDirectory() as scratch:
        for reader, name, content in seeds(Path(scratch)):
            path = CORPUS / reader / f"seed-{name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


if __name__ == "__main__":
    main()
