"""Files that disagree are found though every hash is right; and the whole proof, as people run it."""

from __future__ import annotations

import json
import shutil

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from core.artifact import proof
from core.artifact.graph import Graph
from core.build import reference
from core.contract import VARIANT_FILES
from core.errors import ArtifactError
from tests.support.commands import run
from tests.support.forge import edited, linked_copy, mend, reseal, rewrite
from verify.proof import agreement


@pytest.fixture
def copy(artifact, tmp_path):
    return linked_copy(artifact, tmp_path / "copy")


def swapped(labels):
    labels["0"], labels["1"] = labels["1"], labels["0"]


def assert_refused(copy, variant, change, said):
    """Change a variant's graph, let every hash be right again, and check the graph."""
    path = copy / VARIANT_FILES[variant]
    model = onnx.load(path)
    change(model)
    rewrite(path, model.SerializeToString())
    reseal(copy)
    manifest = proof.check_files(copy).manifest
    (row,) = [row for row in manifest["variants"] if row["name"] == variant]
    with pytest.raises(ArtifactError, match=said):
        agreement.check_graph(Graph(path), manifest, row)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (edited("thresholds.json", lambda t: t.update(joy=0.31)), "thresholds.json: "),
        (edited("thresholds.json", lambda t: t.update(joy=t.pop("joy"))), "thresholds.json: labels: "),
        (edited("config.json", lambda c: swapped(c["id2label"])), "config.json: id2label: "),
        (edited("config.json", lambda c: c["label2id"].pop("joy")), "config.json: label2id: "),
        (edited("config.json", lambda c: c.pop("problem_type")), "config.json: problem_type: "),
        (edited("config.json", lambda c: c.update(max_position_embeddings=9)), "max_position_embeddings"),
        (edited("tokenizer.json", lambda t: t["truncation"].update(max_length=99)), "truncation: found 99"),
        (edited("sbom.cdx.json", lambda s: s["components"].pop(0)), "sbom.cdx.json: components "),
        (lambda f: rewrite(f / "vocab.txt", b"[PAD]\n"), "vocab.txt: tokens"),
        (lambda f: reseal(f, lambda m: m["head"]["labels"].reverse()), "head.labels"),
    ],
)
def test_files_that_disagree_though_every_hash_is_right(copy, spoil, said):
    spoil(copy)
    reseal(copy)
    found = proof.check_files(copy)
    with pytest.raises(ArtifactError, match=said):
        agreement.check_files(copy, found.manifest, reference.read(copy / "reference.npz"))


def rename_token(vocabulary, name, new):
    vocabulary[new] = vocabulary.pop(name)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda vocabulary: vocabulary.pop("the"), "found no token 1996, the next is"),
        (lambda vocabulary: rename_token(vocabulary, "the", "t\nhe"), "found token 't\\nhe', expected"),
        (lambda vocabulary: rename_token(vocabulary, "the", "t\u2028"), "found token 't\\u2028', expected"),
        (lambda vocabulary: rename_token(vocabulary, "the", "of\u3000"), "found token 'of\\u3000', expected"),
    ],
)
def test_a_vocabulary_that_its_readers_number_otherwise(copy, change, said):
    path = copy / "tokenizer.json"
    content = json.loads(path.read_text("utf-8"))
    change(content["model"]["vocab"])
    rewrite(path, json.dumps(content).encode())
    words = sorted(content["model"]["vocab"], key=content["model"]["vocab"].get)
    rewrite(copy / "vocab.txt", "".join(f"{word}\n" for word in words).encode())
    reseal(copy)
    found = run("verify", "artifact", copy)
    assert found.returncode == 1
    assert len(found.stderr.splitlines()) == 1
    assert f"tokenizer.json: model.vocab: {said}" in found.stderr


def metadata(key, value):
    def change(model):
        (prop,) = [prop for prop in model.metadata_props if prop.key == key]
        prop.value = value

    return change


def without(key):
    def change(model):
        model.metadata_props.remove(next(prop for prop in model.metadata_props if prop.key == key))

    return change


def one_threshold(model):
    (tensor,) = [t for t in model.graph.initializer if t.name == "thresholds"]
    limits = numpy_helper.to_array(tensor).copy()
    limits[3] = 0.99
    tensor.CopyFrom(numpy_helper.from_array(limits, "thresholds"))


def renamed_axis(model):
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "rows"


def another_comparison(model):
    """In the branch for rows without padding."""
    branch = next(a.g for n in model.graph.node if n.op_type == "If" for a in n.attribute)
    node = next(n for n in branch.node if n.op_type == "GreaterOrEqual")
    node.op_type = "Greater"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (one_threshold, "thresholds initializer: found"),
        (another_comparison, "expected GreaterOrEqual of two"),
        (renamed_axis, "outputs: found"),
        (metadata("quantization", "none"), "metadata quantization: found 'none'"),
        (metadata("encoder_sha256", "0" * 64), "metadata encoder_sha256"),
        (metadata("onnxruntime", "1.16"), "metadata onnxruntime: found '1.16', expected '1.17'"),
        (lambda m: setattr(m, "ir_version", 10), "metadata onnxruntime: found '1.17', expected '1.18'"),
        (without("onnxruntime"), "onnxruntime of the manifest: found '1.17', expected ''"),
        (lambda m: m.metadata_props.add(key="more", value="x"), "metadata more: found 'x', expected None"),
        (lambda m: m.graph.output.pop(), "has no output admiration"),
    ],
)
def test_a_graph_that_disagrees_though_every_hash_is_right(copy, change, said):
    assert_refused(copy, "int8", change, said)


def limits(name, label, value):
    """Change a limit of a label, by its place."""

    def change(model):
        (tensor,) = [tensor for tensor in model.graph.initializer if tensor.name == name]
        numbers = numpy_helper.to_array(tensor).copy()
        numbers[label] = value
        tensor.CopyFrom(numpy_helper.from_array(numbers, name))

    return change


def unstated(model):
    """Take the guard out of the metadata."""
    (entry,) = [entry for entry in model.metadata_props if entry.key == "guard"]
    model.metadata_props.remove(entry)


def stated(change):
    """Change what the metadata says of the guard."""

    def spoil(model):
        (entry,) = [entry for entry in model.metadata_props if entry.key == "guard"]
        guard = json.loads(entry.value)
        change(guard)
        entry.value = json.dumps(guard)

    return spoil


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (limits("guard_low", 1, 0.0), r"guard_low: labels with another margin: found \['amusement'\]"),
        (limits("guard_high", 27, 2.0), r"guard_high: labels with another margin: found \['neutral'\]"),
        (stated(lambda guard: guard["margins"].update(joy=9.0)), "metadata guard: "),
        (stated(lambda guard: guard.update(max_flip_rate=0.5)), "metadata guard: "),
        (unstated, "metadata guard: found None"),
    ],
)
def test_a_guard_that_is_another_than_it_says(copy, change, said):
    assert_refused(copy, "guarded", change, said)


def test_a_guard_that_its_metadata_says_nothing_of(copy):
    path = copy / "onnx" / "model_quantized.onnx"
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(28, np.float32), "guard_low"))
    rewrite(path, model.SerializeToString())
    reseal(copy)
    manifest = proof.check_files(copy).manifest
    with pytest.raises(ArtifactError, match=r"of which the metadata says nothing: found .'guard_low'"):
        agreement.check_graph(Graph(path), manifest, manifest["variants"][1])


@pytest.mark.slow
def test_a_graph_over_its_tolerance_is_not_proved(copy):
    shutil.copyfile(copy / "onnx/model_quantized.onnx", copy / "kept")
    path = copy / "onnx" / "model_quantized.onnx"
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 2:
            tensor.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(tensor), tensor.name))
            break
    rewrite(path, model.SerializeToString())
    (copy / "kept").unlink()
    # By a forger who mends the bill as well, and has no F1.
    mend(copy)
    reseal(copy, lambda manifest: manifest.update(evaluations=[]))
    found = run("verify", "artifact", copy)
    assert found.returncode == 1
    assert found.stderr.startswith("error: int8: flip_rate: found ")


def test_a_public_key_without_a_signature_or_the_library_is_one_error(copy, tmp_path):
    key = tmp_path / "key.pem"
    key.write_text("not a key")
    found = run("verify", "artifact", copy, "--hashes-only", "--public-key", key)
    assert found.returncode == 1
    assert "model.sig: no such file: the artifact is not signed" in found.stderr
