"""The program in C says what onnxruntime's Python says, and says what is wrong."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest

from core.contract import VARIANT_FILES
from tests.conftest import ROOT
from tests.support import consumers
from tests.support.snippets import snippet

pytestmark = pytest.mark.consumers


def lines(texts):
    """Texts as lines; a line break in a text is white space to the tokenizer, as a space is."""
    return "".join(text.replace("\n", " ") + "\n" for text in texts).encode()


def test_text_to_decisions(run, artifact, variant, texts, expected):
    graph = artifact / VARIANT_FILES[variant]
    found = run("decide", "-p", graph, artifact / "vocab.txt", given=lines(texts))
    assert (found.returncode, found.stderr) == (0, b"")
    rows = [json.loads(line) for line in found.stdout.decode().splitlines()]
    probabilities = np.array([row["probabilities"] for row in rows], np.float32)
    decided = np.array([[label in row["labels"] for label in expected.labels] for row in rows])
    assert sum(len(row["labels"]) for row in rows) == decided.sum()
    consumers.check(f"C, {variant}", probabilities, decided, expected)


def test_it_is_clean_under_the_sanitizers(run, artifact, variant):
    hostile = [b"I love this!", b"", b"\0 \xff\xfe \xed\xa0\x80 \xf0\x9f", b"a" * 20_000, b"[SEP][CLS]" * 300]
    given = b"\n".join(hostile)
    graph = artifact / VARIANT_FILES[variant]
    found = run("decide-sanitized", graph, artifact / "vocab.txt", given=given)
    assert (found.returncode, found.stderr) == (0, b"")
    assert len(found.stdout.splitlines()) == len(hostile)
    assert found.stdout == run("decide", graph, artifact / "vocab.txt", given=given).stdout


def test_no_text_no_line(run, artifact):
    found = run("decide", artifact / "onnx/model.onnx", artifact / "vocab.txt")
    assert (found.returncode, found.stdout, found.stderr) == (0, b"", b"")


@pytest.mark.parametrize(
    ("graph", "vocabulary", "said"),
    [
        ("onnx/none.onnx", "vocab.txt", "none.onnx"),
        ("vocab.txt", "vocab.txt", "vocab.txt"),
        ("onnx/model.onnx", "none.txt", "none.txt: cannot be read"),
        ("onnx/model.onnx", "thresholds.json", "thresholds.json: found no token [PAD]"),
    ],
)
def test_what_is_wrong_is_said(run, artifact, graph, vocabulary, said):
    found = run("decide-sanitized", artifact / graph, artifact / vocabulary, given=b"a\n")
    assert (found.returncode, found.stdout) == (1, b"")
    assert found.stderr.decode().startswith("error: ")
    assert said in found.stderr.decode()


def test_a_graph_without_the_contracts_metadata_is_refused(run, artifact, tmp_path):
    import onnx

    ids = onnx.helper.make_tensor_value_info("input_ids", onnx.TensorProto.INT64, ["b", "s"])
    out = onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.INT64, ["b", "s"])
    node = onnx.helper.make_node("Identity", ["input_ids"], ["logits"])
    opsets = [onnx.helper.make_opsetid("", 18)]
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node], "bare", [ids], [out]), opset_imports=opsets, ir_version=10
    )
    onnx.save(model, tmp_path / "bare.onnx")
    found = run("decide-sanitized", tmp_path / "bare.onnx", artifact / "vocab.txt", given=b"a\n")
    assert found.returncode == 1
    assert b"the graph's metadata have no labels" in found.stderr


def test_usage(run):
    assert run("decide").returncode == 2


def test_the_readmes_lines_run(artifact):
    found = subprocess.run(
        ["sh", "-ec", snippet("### C", "sh")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines()[-1] == '{"labels": ["love"]}'
