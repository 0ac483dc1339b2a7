"""Parity, its gate, and the reference file: what passes, what fails, what is said then."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from export.contract import ArtifactError, GateError
from tests.conftest import DEFAULT, ROOT
from verify import parity, reference
from verify.session import Graph

NO_LIMIT = parity.Tolerance(None, None)


@pytest.fixture(scope="module")
def committed():
    return reference.read(DEFAULT / "reference.npz")


@pytest.fixture(scope="module")
def fp32(artifact):
    return Graph(artifact / "onnx/model.onnx")


@pytest.fixture(scope="module")
def figures(fp32, committed):
    return parity.measure(fp32, committed)


def test_the_committed_reference_covers_what_it_must(committed):
    lengths = [len(row) for row in committed.ids]
    assert len(committed.texts) >= 96
    assert "" in committed.texts
    assert min(lengths) == 2
    assert lengths.count(512) >= 2
    assert len(set(lengths)) > 30


def test_fp32_holds_parity_with_the_committed_reference(figures):
    assert figures.max_probability_error <= 1e-5
    assert figures.flip_rate == 0
    assert figures.batch_error <= 1e-6


def test_the_figures_against_their_definition(artifact, committed):
    graph = Graph(artifact / "onnx/model_quantized.onnx")
    found = parity.measure(graph, committed)
    probabilities = np.concatenate([graph.run([row]).probabilities for row in committed.ids])
    limits = np.array([committed.thresholds[label] for label in committed.labels], np.float32)
    flipped = (probabilities >= limits) != (committed.probabilities >= limits)
    error = abs(probabilities.astype(float) - committed.probabilities)
    assert found.max_probability_error == error.max()
    assert found.mean_probability_error == pytest.approx(error.mean(), rel=1e-12)
    assert found.flip_rate == flipped.any(axis=1).mean()
    assert list(found.flips.values()) == flipped.sum(axis=0).tolist()
    worst = committed.labels.index(found.worst["label"]), committed.texts.index(found.worst["text"])
    assert error[worst[1], worst[0]] == error.max()


def test_a_wrong_answer_exceeds_and_the_sentence_names_it(fp32, committed):
    probabilities = committed.probabilities.copy()
    probabilities[7, 3] += 0.25
    wrong = dataclasses.replace(committed, probabilities=probabilities)
    found = parity.measure(fp32, wrong)
    (sentence,) = parity.violations("fp32", found, parity.Tolerance(1e-5, None))
    assert committed.labels[3] in sentence
    assert repr(committed.texts[7]) in sentence
    assert "found 0.25, expected at most 1e-05" in sentence
    assert parity.violations("fp32", found, NO_LIMIT) == []


def test_flips_are_gated(figures):
    flipped = dataclasses.replace(figures, flip_rate=0.06)
    assert parity.violations("int8", flipped, parity.Tolerance(None, 0.05))
    assert not parity.violations("int8", flipped, parity.Tolerance(None, 0.06))


def test_not_a_number_is_never_within_a_tolerance(figures):
    broken = dataclasses.replace(figures, max_probability_error=float("nan"))
    assert parity.violations("fp32", broken, parity.Tolerance(1e-5, None))


@pytest.mark.parametrize(
    ("field", "value"),
    [("encoder_sha256", "0" * 64), ("head_sha256", "0" * 64), ("labels", ["joy"]), ("thresholds", {})],
)
def test_another_originals_reference_is_refused(fp32, committed, field, value):
    with pytest.raises(GateError, match=f"{field}: found .* expected the reference's"):
        parity.measure(fp32, dataclasses.replace(committed, **{field: value}))


def test_the_table_has_a_verdict(figures):
    text = parity.table([("fp32", figures, parity.Tolerance(1e-5, 0.1), True)])
    assert "| fp32 |" in text
    assert "ok (Δp ≤ 1e-05, flips ≤ 0.1)" in text
    assert "FAILED" in parity.table([("fp32", figures, NO_LIMIT, False)])


@pytest.mark.parametrize("damage", ["truncated", "not a file", "shape", "pickle"])
def test_a_damaged_reference_is_named(tmp_path, damage):
    path = tmp_path / "reference.npz"
    content = (DEFAULT / "reference.npz").read_bytes()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage in ("shape", "pickle"):
        with np.load(DEFAULT / "reference.npz") as file:
            arrays = dict(file)
        arrays["logits"] = arrays["logits"][:5] if damage == "shape" else np.array([object()])
        np.savez(path, **arrays)
    with pytest.raises(ArtifactError, match=r"reference\.npz"):
        reference.read(path)


def run(*arguments, **more):
    command = [sys.executable, "-m", "verify", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **more)


def test_the_command_passes_prints_and_writes(artifact, tmp_path):
    found = run(
        "parity", artifact, "--reference", DEFAULT / "reference.npz", "--json", tmp_path / "figures.json"
    )
    assert found.returncode == 0, found.stderr
    assert "| fp32 |" in found.stdout
    assert json.loads((tmp_path / "figures.json").read_text())["fp32"]["flip_rate"] == 0


def test_the_command_fails_over_a_tolerance(artifact, tmp_path):
    folder = tmp_path / "artifact"
    (folder / "onnx").mkdir(parents=True)
    manifest = json.loads((artifact / "manifest.json").read_text())
    manifest["variants"] = [v for v in manifest["variants"] if v["name"] == "int8"]
    manifest["variants"][0]["tolerance"]["max_flip_rate"] = 0.0
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "onnx/model_quantized.onnx").symlink_to(artifact / "onnx/model_quantized.onnx")
    found = run("parity", folder, "--reference", DEFAULT / "reference.npz")
    assert found.returncode == 1
    assert "FAILED" in found.stdout
    assert found.stderr.startswith("error: int8: flip_rate: found ")


def test_the_command_needs_neither_torch_nor_the_builds_libraries(artifact, tmp_path):
    blocked = "torch transformers sklearn skl2onnx onnx onnx_ir onnxscript onnxsim pydantic typer rich jinja2"
    (tmp_path / "sitecustomize.py").write_text(
        f"import sys\nfor name in {blocked.split()!r}: sys.modules[name] = None\n"
    )
    found = run(
        "parity", artifact, "--reference", DEFAULT / "reference.npz", env={"PYTHONPATH": str(tmp_path)}
    )
    assert found.returncode == 0, found.stderr


def test_what_is_no_artifact_is_one_line(tmp_path):
    found = run("parity", tmp_path, "--reference", DEFAULT / "reference.npz")
    assert found.returncode == 1
    assert found.stderr.startswith(f"error: {tmp_path}/manifest.json: not an artifact's manifest")
    assert found.stderr.count("\n") == 1
