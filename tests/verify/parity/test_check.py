"""`python -m verify parity` in somebody's CI: what it prints, writes, and exits with."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import numpy as np
import onnxruntime
import pytest

from core import cpu
from tests.support import artifacts
from tests.support.artifacts import LABELS, TEXTS
from tests.support.commands import run, without_the_build
from tests.support.places import DEFAULT


def cases(path):
    """Name → the failure's message, or None, of each test case."""
    root = ElementTree.parse(path).getroot()
    assert root.tag == "testsuites"
    found = {}
    for case in root.iter("testcase"):
        failure = case.find("failure")
        found[f"{case.get('classname').split('.')[-1]}.{case.get('name')}"] = (
            None if failure is None else failure.get("message")
        )
    assert int(root.get("tests")) == len(found)
    assert int(root.get("failures")) == sum(message is not None for message in found.values())
    return found


def test_an_artifact_passes_by_its_own_reference(tmp_path):
    folder = artifacts.artifact(tmp_path / "tiny", {"fp32": 0.0, "int8": 1e-4}, max_probability_error=1e-3)
    found = run("verify", "parity", folder, "--json", tmp_path / "a.json", "--junit", tmp_path / "a.xml")
    assert (found.returncode, found.stderr) == (0, "")
    lines = found.stdout.splitlines()
    assert lines[0].startswith("| variant | max Δp |")
    assert [line.split("|")[1].strip() for line in lines[2:4]] == ["fp32", "int8"]
    assert lines[-1] == "7 texts, 5 checks, token ids among them: all ok."
    figures = json.loads((tmp_path / "a.json").read_text())
    assert figures["int8"]["texts"] == 7
    assert figures["ran_on"] == {"cpu": cpu.class_of(), "onnxruntime": onnxruntime.__version__}
    stated = ElementTree.parse(tmp_path / "a.xml").find("testsuite/properties")
    assert {each.get("name"): each.get("value") for each in stated} == figures["ran_on"]
    names = ["tokenizer.token_ids"]
    names += [f"{v}.{c}" for v in ("fp32", "int8") for c in ("same_original", "max_probability_error")]
    assert cases(tmp_path / "a.xml") == dict.fromkeys(names)


def test_a_failure_names_label_text_and_both_numbers(tmp_path):
    limits = {"max_probability_error": 1e-3, "max_flip_rate": 0.1}
    folder = artifacts.artifact(tmp_path / "tiny", {"fp32": 0.0, "int8": 0.75}, **limits)
    found = run("verify", "parity", folder, "--junit", tmp_path / "a.xml", "--json", tmp_path / "a.json")
    assert found.returncode == 1
    assert "FAILED (Δp ≤ 0.001, flips ≤ 0.1)" in found.stdout
    assert "2 FAILED." in found.stdout
    ids = [encoding.ids for encoding in artifacts.tokenizer().encode_batch(TEXTS)]
    original, wrong = (
        1 / (1 + np.exp(-artifacts.answers(ids, artifacts.WEIGHTS, bias))) for bias in (0, 0.75)
    )
    row, column = np.unravel_index(abs(wrong - original).argmax(), wrong.shape)
    failed = cases(tmp_path / "a.xml")
    message = failed["int8.max_probability_error"]
    assert repr(TEXTS[row]) in message
    assert LABELS[column].replace("\x01", "\\x01") in message
    assert f": {wrong[row, column]:.6f}, the reference has {original[row, column]:.6f}" in message
    assert "the largest flip is on" in failed["int8.flip_rate"]
    assert [name for name, message in failed.items() if message is None][1:] == [
        "fp32.same_original",
        "fp32.max_probability_error",
        "fp32.flip_rate",
        "int8.same_original",
    ]
    assert found.stderr.startswith("error: int8: max_probability_error: found ")
    assert found.stderr.count("\n") == 1
    assert set(json.loads((tmp_path / "a.json").read_text())) == {"fp32", "int8", "ran_on"}


def test_other_token_ids_fail_and_the_text_is_named(tmp_path):
    folder = artifacts.artifact(tmp_path / "tiny", {"fp32": 0.0}, max_probability_error=1e-3)
    other = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = other["model"]["vocab"]
    vocabulary["z"], vocabulary["b"] = vocabulary["b"], vocabulary["z"]
    (folder / "tokenizer.json").write_text(json.dumps(other))
    found = run("verify", "parity", folder, "--junit", tmp_path / "a.xml")
    assert found.returncode == 1
    message = cases(tmp_path / "a.xml")["tokenizer.token_ids"]
    assert f"3 of 7 texts differ from the reference; 'the a b c', token 3: found {vocabulary['b']}" in message
    cut = artifacts.tokenizer()
    cut.enable_truncation(4)
    cut.save(str(folder / "tokenizer.json"))
    found = run("verify", "parity", folder)
    assert "'the a b c': found 4 tokens, expected 6" in found.stderr


def test_a_graph_of_another_encoder_fails_and_the_others_are_measured(tmp_path):
    folder = artifacts.artifact(tmp_path / "tiny", {"fp32": 0.0, "int8": 0.0}, max_probability_error=1e-3)
    artifacts.graph(folder / "onnx/model.onnx", LABELS, artifacts.WEIGHTS, 0.0, encoder="f" * 64)
    found = run("verify", "parity", folder, "--junit", tmp_path / "a.xml")
    assert found.returncode == 1
    failed = cases(tmp_path / "a.xml")
    assert "encoder_sha256: found ffff" in failed["fp32.same_original"]
    assert failed["int8.max_probability_error"] is None
    assert "fp32.max_probability_error" not in failed


@pytest.mark.parametrize("damage", ["manifest", "graph", "tokenizer", "reference", "no reference"])
def test_what_cannot_be_read_is_one_line_and_nothing_is_written(tmp_path, damage):
    folder = artifacts.artifact(tmp_path / "tiny", {"fp32": 0.0}, max_probability_error=1e-3)
    file = {"manifest": "manifest.json", "graph": "onnx/model.onnx", "tokenizer": "tokenizer.json"}.get(
        damage, "reference.npz"
    )
    if damage == "no reference":
        (folder / file).unlink()
    else:
        (folder / file).write_text("{")
    found = run("verify", "parity", folder, "--json", tmp_path / "a.json", "--junit", tmp_path / "a.xml")
    assert found.returncode == 2
    assert found.stderr.startswith(f"error: {folder / file}: ")
    assert found.stderr.count("\n") == 1
    assert ("--reference FILE" in found.stderr) == (damage == "no reference")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_a_file_that_cannot_be_written_is_one_line(tmp_path):
    folder = artifacts.artifact(tmp_path / "tiny", {"fp32": 0.0}, max_probability_error=1e-3)
    found = run("verify", "parity", folder, "--junit", folder / "manifest.json" / "a.xml")
    assert found.returncode == 2
    assert "a.xml: cannot be written" in found.stderr


def test_parity_and_compare_need_nothing_of_the_build(tmp_path):
    folder = artifacts.artifact(tmp_path / "tiny", {"fp32": 0.0}, max_probability_error=1e-3)
    environment = without_the_build(tmp_path)
    for arguments in (("parity", folder, "--junit", tmp_path / "a.xml"), ("compare", folder, folder)):
        found = run("verify", *arguments, env=environment)
        assert found.returncode == 0, found.stderr


@pytest.mark.slow
def test_the_default_passes_without_the_build(artifact, tmp_path):
    reference = DEFAULT / "reference.npz"
    found = run(
        "verify",
        "parity",
        artifact,
        "--reference",
        reference,
        "--json",
        tmp_path / "a.json",
        env=without_the_build(tmp_path),
    )
    assert found.returncode == 0, found.stderr
    assert "| fp32 |" in found.stdout
    assert json.loads((tmp_path / "a.json").read_text())["fp32"]["flip_rate"] == 0
