"""A finished artifact is proved, and nothing that was changed in it is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import onnx
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from onnx import numpy_helper

from core.artifact import manifest as artifact
from core.artifact import proof, seal
from core.artifact.graph import Graph
from core.build import reference
from core.errors import ArtifactError
from tests.conftest import ROOT
from verify.proof import agreement, bitflips
from verify.report import sbom


@pytest.fixture
def copy(artifact, tmp_path):
    """A copy whose files may be replaced but not written to: they are the artifact's own."""
    return shutil.copytree(artifact, tmp_path / "copy", copy_function=os.link)


def rewrite(path, content):
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def reseal(folder, change=lambda manifest: None):
    """Make a manifest that lists what is there, as a careful forger would."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["files"] = {n: f for n, f in artifact.files(folder).items() if n != "manifest.json"}
    change(manifest)
    del manifest[seal.FIELD]
    rewrite(folder / "manifest.json", seal.sealed(manifest).encode())


def prove(folder, *options):
    return subprocess.run(
        [sys.executable, "-m", "verify", "artifact", folder, *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_default_artifact_is_proved(artifact):
    found = prove(artifact)
    assert found.returncode == 0, found.stderr
    assert [line.split()[0] for line in found.stdout.splitlines()] == ["hashes", "agree", "parity", "parity"]


def test_a_forger_who_seals_again_is_believed_by_hashes_alone(copy):
    reseal(copy)
    assert proof.check_files(copy).files == len([p for p in copy.rglob("*") if p.is_file()])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: (f / "vocab.txt").unlink(), "vocab.txt: missing"),
        (lambda f: (f / "more.txt").write_text("x"), "more.txt: not listed in the manifest"),
        (lambda f: (f / "onnx" / "more").mkdir(), "onnx/more: found an empty folder"),
        (lambda f: (f / "link").symlink_to("vocab.txt"), "link: found a link"),
        (lambda f: rewrite(f / "config.json", b"{}"), "config.json: found 2 bytes"),
        (lambda f: (f / "manifest.json").unlink(), "manifest.json: cannot be read"),
        (lambda f: rewrite(f / "manifest.json", b"{}\n"), "does not end with manifest_sha256"),
        (lambda f: (f / "model.sig").write_text("x"), "model.sig.sha256: missing"),
        (lambda f: (f / "model.sig.sha256").write_text("x"), "model.sig: missing"),
        (lambda f: reseal(f, lambda m: m.pop("files")), "lists no files"),
        (lambda f: reseal(f, lambda m: m["files"].update({"vocab.txt": 1})), "vocab.txt: expected a sha256"),
    ],
)
def test_a_folder_that_is_not_as_listed(copy, spoil, said):
    spoil(copy)
    with pytest.raises(ArtifactError, match=said):
        proof.check_files(copy)


def test_every_kind_of_change_to_the_manifest_is_found(copy):
    content = (copy / "manifest.json").read_bytes()
    assert seal.broken(content) is None
    for spoiled in (content[:-1], content + b"\n", content.replace(b"  ", b"   ", 1), b" " + content):
        assert seal.broken(spoiled)
    digits = content.rindex(b'"', 0, -4) + 1
    upper = content[:digits] + content[digits:].upper()
    assert seal.broken(upper)
    for bit in range(8 * (len(content) - 200), 8 * len(content)):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        assert seal.broken(bytes(flipped))


def test_bit_flips_anywhere_are_found_and_leave_the_copy_as_it_was(artifact, tmp_path):
    copy = tmp_path / "copy"
    # Of the graphs the smaller one: `make bitflips` flips bits of all files.
    shutil.copytree(artifact, copy, ignore=shutil.ignore_patterns("model.onnx"))
    (copy / "model.sig").write_bytes(b'{"a": "signature"}')
    (copy / "model.sig.sha256").write_text(proof.signature_hash(copy / "model.sig"))
    signature = {"model.sig", "model.sig.sha256"}
    reseal(copy, lambda m: [m["files"].pop(name) for name in signature])
    before = proof.check_files(copy)
    flips = bitflips.draw(copy, 120, seed=1)
    assert len({flip.name for flip in flips}) == before.files
    assert [flip for flip in flips if not bitflips.is_found(copy, flip)] == []
    assert proof.check_files(copy) == before


def test_a_check_that_finds_nothing_is_counted_as_such(copy, monkeypatch):
    monkeypatch.setattr(proof, "check_files", lambda folder: None)
    (copy / "one").write_bytes(b"x")
    assert not bitflips.is_found(copy, bitflips.Flip("one", 0, 0))


def edited(name, change):
    def spoil(folder):
        content = json.loads((folder / name).read_text("utf-8"))
        change(content)
        rewrite(folder / name, json.dumps(content).encode())

    return spoil


def swapped(labels):
    labels["0"], labels["1"] = labels["1"], labels["0"]


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
        agreement.check_files(copy, found.manifest)


def metadata(key, value):
    def change(model):
        (prop,) = [prop for prop in model.metadata_props if prop.key == key]
        prop.value = value

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
        (lambda m: m.metadata_props.add(key="more", value="x"), "metadata more: found 'x', expected None"),
        (lambda m: m.graph.output.pop(), "has no output admiration"),
    ],
)
def test_a_graph_that_disagrees_though_every_hash_is_right(copy, change, said):
    path = copy / "onnx" / "model_quantized.onnx"
    model = onnx.load(path)
    change(model)
    rewrite(path, model.SerializeToString())
    reseal(copy)
    manifest = proof.check_files(copy).manifest
    original = reference.read(copy / "reference.npz")
    (row,) = [row for row in manifest["variants"] if row["name"] == "int8"]
    with pytest.raises(ArtifactError, match=said):
        agreement.check_graph(Graph(path), manifest, row["quantization"], original)


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

    def size(manifest):
        for row in manifest["variants"]:
            row["size"] = (copy / row["file"]).stat().st_size

    reseal(copy, size)
    # A forger who mends the bill as well.
    bill = json.loads((copy / "sbom.cdx.json").read_text("utf-8"))
    digest = artifact.files(copy)["onnx/model_quantized.onnx"]["sha256"]
    for part in bill["components"]:
        if part["name"] == "onnx/model_quantized.onnx":
            part["hashes"][0]["content"] = digest
    rewrite(copy / "sbom.cdx.json", json.dumps(bill).encode())
    reseal(copy, size)
    found = prove(copy)
    assert found.returncode == 1
    assert found.stderr.startswith("error: int8: flip_rate: found ")


def test_the_bill_of_materials_is_valid_and_the_same_every_time(artifact):
    text = (artifact / "sbom.cdx.json").read_text("utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    manifest = json.loads((artifact / "manifest.json").read_text("utf-8"))
    assert sbom.render(manifest | {"files": None}, manifest["files"]) != text
    described = {k: v for k, v in manifest.items() if k not in ("files", seal.FIELD)}
    assert sbom.render(described, manifest["files"]) == text
    bill = json.loads(text)
    assert bill["metadata"]["component"]["modelCard"]["modelParameters"]["task"].endswith("28 labels")
    assert {part["type"] for part in bill["components"]} == {"library", "machine-learning-model"}


def test_a_public_key_without_a_signature_or_the_library_is_one_error(copy, tmp_path):
    key = tmp_path / "key.pem"
    key.write_text("not a key")
    found = prove(copy, "--hashes-only", "--public-key", key)
    assert found.returncode == 1
    assert "model.sig: no such file: the artifact is not signed" in found.stderr
