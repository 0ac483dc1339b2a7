"""The program in C decides as onnxruntime's Python does, and says what is wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest

from core.artifact.manifest import text_graph
from tests.support import consumers
from tests.support.places import ROOT
from tests.support.snippets import run_shell, snippet
from verify.parity import text_ids

pytestmark = pytest.mark.consumers

PROGRAMS = ["decide", "decide-sanitized"]


def lines(texts):
    """Texts as lines; a line break in a text is white space to the tokenizer, as a space is."""
    return "".join(text.replace("\n", " ") + "\n" for text in texts).encode()


@pytest.fixture(scope="session")
def text_in(artifact):
    return text_graph(artifact)


@pytest.fixture
def check(run, artifact, text_in):
    def compare(program, texts):
        result = run(program, "-p", text_in.file, given=lines(texts))
        assert (result.returncode, result.stderr) == (0, b"")
        rows = [json.loads(line) for line in result.stdout.decode().splitlines()]
        expected = consumers.answer(artifact, text_in.variant.file, texts)
        probabilities = np.array([row["probabilities"] for row in rows], np.float32)
        decisions = np.array([[label in row["labels"] for label in expected.labels] for row in rows])
        assert sum(len(row["labels"]) for row in rows) == decisions.sum()
        consumers.check(f"C, {program}", probabilities, decisions, expected)

    return compare


def test_text_to_decisions(check, texts):
    check("decide", texts)


@pytest.mark.parametrize("program", PROGRAMS)
def test_hostile_texts(check, program):
    check(program, text_ids.hostile())


def test_without_probabilities_labels_alone(run, text_in):
    result = run("decide-sanitized", text_in.file, given=b"I love this!\nI love this!")
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout == b'{"labels": ["love"]}\n' * 2


@pytest.mark.parametrize(
    "wrong", [b"\x80", b"a\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xf0\x9f", b"\0\xff"]
)
def test_a_line_that_is_not_utf_8_is_named(run, text_in, wrong):
    result = run("decide-sanitized", text_in.file, given=b"a\n" + wrong + b"\nb\n")
    assert result.returncode == 1
    assert result.stderr.startswith(b"error: line 2: ")
    assert b"invalid utf8" in result.stderr
    assert len(result.stdout.splitlines()) == 1


def test_no_text_no_line(run, text_in):
    result = run("decide-sanitized", text_in.file)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        ("onnx/none.onnx", "none.onnx"),
        ("vocab.txt", "vocab.txt"),
        ("onnx/model.onnx", "line 1: Invalid input name: text"),
    ],
)
def test_what_is_wrong_is_said(run, artifact, graph, message):
    result = run("decide-sanitized", artifact / graph, given=b"a\n")
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.decode().startswith("error: ")
    assert message in result.stderr.decode()
    assert len(result.stderr.splitlines()) == 1


def save(path, outputs, metadata):
    """Write a graph that takes texts and answers with constants."""
    import onnx
    from onnx import helper, numpy_helper

    text = helper.make_tensor_value_info("text", onnx.TensorProto.STRING, ["batch"])
    initializers = [numpy_helper.from_array(array, f"{name}_value") for name, array in outputs.items()]
    nodes = [helper.make_node("Identity", [f"{name}_value"], [name]) for name in outputs]
    values = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in outputs.items()
    ]
    graph = helper.make_graph(nodes, "bare", [text], values, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    helper.set_model_props(model, metadata)
    onnx.save(model, path)
    return path


LABELS = ['"', "\\", 'a\\"b', "é\n", "😀"]


@pytest.mark.parametrize("ascii_only", [True, False])
def test_labels_of_any_characters(run, tmp_path, ascii_only):
    outputs = {
        "probabilities": np.linspace(0, 1, 5, dtype=np.float32)[None],
        "predictions": np.array([[True, True, True, False, True]]),
    }
    metadata = {"labels": json.dumps(LABELS, ensure_ascii=ascii_only)}
    result = run("decide-sanitized", "-p", save(tmp_path / "g.onnx", outputs, metadata), given=b"a\n")
    assert (result.returncode, result.stderr) == (0, b"")
    assert json.loads(result.stdout) == {
        "labels": [*LABELS[:3], LABELS[4]],
        "probabilities": [0, 0.25, 0.5, 0.75, 1],
    }


@pytest.mark.parametrize(
    ("outputs", "metadata", "message"),
    [
        ({}, {}, "the graph's metadata have no labels"),
        ({}, {"labels": '["a", "b", "c"]'}, "an output does not have one value per label"),
        ({}, {"labels": '["a", "b'}, "an output does not have one value per label"),
        ({}, {"labels": json.dumps([f"label {n}" for n in range(100_000)])}, "an output does not have one"),
        ({}, {"labels": "[]"}, "an output does not have one value per label"),
        ({"predictions": np.ones((2, 1), bool)}, {"labels": '["a", "b"]'}, "an output does not have one"),
        ({"probabilities": np.ones(2, np.float32)}, {"labels": '["a", "b"]'}, "an output does not have one"),
        ({"probabilities": np.ones((0, 2), np.float32)}, {"labels": '["a", "b"]'}, "an output does not"),
        ({}, {"labels": '["a", "\x1b[2J"]'}, "hold a control character"),
        ({}, {"labels": '["a",\n "b"]'}, "hold a control character"),
        ({}, {"labels": '["a", "\x9b2J"]'}, "hold a control character"),
        ({"predictions": np.ones((1, 2), np.int64)}, {"labels": '["a", "b"]'}, "an output does not have"),
        ({"probabilities": np.ones((1, 2))}, {"labels": '["a", "b"]'}, "an output does not have one value"),
    ],
)
def test_a_graph_that_breaks_the_contract_is_refused(run, tmp_path, outputs, metadata, message):
    sound = {"probabilities": np.ones((1, 2), np.float32), "predictions": np.ones((1, 2), bool)}
    result = run("decide-sanitized", save(tmp_path / "g.onnx", sound | outputs, metadata), given=b"a\n")
    assert (result.returncode, result.stdout) == (1, b"")
    assert message in result.stderr.decode()
    assert len(result.stderr.splitlines()) == 1


def test_metadata_of_absurd_sizes_ask_for_no_memory(run, tmp_path):
    outputs = {"probabilities": np.ones((1, 2), np.float32), "predictions": np.ones((1, 2), bool)}
    metadata = {"labels": '["a", "b"]', "max_length": str(2**58 + 1), "thresholds": "{"}
    result = run("decide-sanitized", save(tmp_path / "g.onnx", outputs, metadata), given=b"a\n")
    assert (result.returncode, result.stdout, result.stderr) == (0, b'{"labels": ["a", "b"]}\n', b"")


def test_what_onnxruntime_says_of_a_hostile_name_is_one_line(run, tmp_path):
    """The name of a node that fails, with escapes of a terminal and breaks of a line."""
    import onnx

    outputs = {"probabilities": np.ones((1, 2), np.float32), "predictions": np.ones((1, 2), bool)}
    path = save(tmp_path / "g.onnx", outputs, {"labels": '["a", "b"]'})
    model = onnx.load(path)
    model.graph.node[0].op_type = "a\n\x1b[2J\x9b\u2028b"
    onnx.save(model, path)
    result = run("decide-sanitized", path, given=b"a\n")
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.startswith(b"error: ")
    assert len(result.stderr.decode("utf-8", "replace").splitlines()) == 1
    assert not set(result.stderr[:-1]) & set(range(32))


def test_usage(run):
    assert run("decide").returncode == 2


def test_the_documents_lines_run(artifact):
    lines = run_shell(snippet("## C", "sh", "docs/runtimes.md"), ROOT)
    assert lines[-1] == '{"labels": ["love"]}'
