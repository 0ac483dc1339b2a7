"""The differential check finds what a reader overlooks, and a short run of it finds nothing."""

from __future__ import annotations

import shutil
import sys

import pytest
from onnx import TensorProto, helper

from core.untrusted.wire import functions, inspection, operators
from tests.fuzz import differences, differential
from tests.fuzz.mutate_functions import ELSEWHERE
from tests.support.commands import run
from tests.support.onnx_files import marked, model

node = helper.make_node
FACTS = {
    "an operator": ([("operators", ["Relu", "Loop"])], "ran Loop, which"),
    "nodes": ([("inlined", 8)], "8 nodes after inlining, counted 7"),
    "answers": ([("different", ["a", "b"])], "a path and its bytes are different models"),
    "one reading": ([("refused", "x"), ("ran", None)], "a path or its bytes alone are refused: x"),
    "the checker": ([("checker", "bad"), ("ran", None)], "onnxruntime runs what onnx.checker refuses: bad"),
}


@pytest.mark.parametrize("case", FACTS)
def test_what_differs_is_said(case):
    facts, message = FACTS[case]
    assert message in differential.judge(7, facts, 0)
    assert differential.judge(7, [("operators", ["Relu"]), ("inlined", 7), ("ran", None)], 0) is None


def test_a_death_counts_where_a_user_has_no_trial():
    assert "SIGSEGV in check" in differential.judge(7, [("parse", None), ("check", None)], -11)
    assert differential.judge(7, [("check", None), ("load", None)], -11) is None


def function(name, body, domain="f"):
    made = helper.make_function(domain, name, ["x"], ["y"], body, [helper.make_opsetid("", 18)])
    found = model([node(name, ["x"], ["y"], domain=domain)], functions=[made])
    if domain:
        found.opset_import.add(domain=domain, version=1)
    return found.SerializeToString()


RANDOM = [node("RandomNormalLike", ["x"], ["y"])]


def test_an_operator_inside_that_a_reader_overlooks_is_seen_to_run(tmp_path, monkeypatch):
    sound = function("F", [node("Mish", ["x"], ["y"])])
    assert differential.disagreement(sound, tmp_path) is None
    content = function("F", RANDOM)
    assert differential.disagreement(content, tmp_path) is None
    # A reader that looks into no function.
    monkeypatch.setattr(functions, "walk_nodes", lambda *_: None)
    monkeypatch.setattr(functions, "check_outputs", lambda *_: None)
    assert "ran RandomNormalLike" in differential.disagreement(content, tmp_path)
    twice = function("F", [node("Relu", ["x"], ["z"]), node("Relu", ["z"], ["y"])])
    assert "2 nodes after inlining, counted 1" in differential.disagreement(twice, tmp_path)


def test_an_operator_of_the_table_alone_may_run(tmp_path, monkeypatch):
    content = model(RANDOM).SerializeToString()
    assert differential.disagreement(content, tmp_path) is None
    known = operators.STANDARD_OPERATORS | {"RandomNormalLike"}
    monkeypatch.setattr(operators, "GRAPH", {"": known})
    assert "ran RandomNormalLike" in differential.disagreement(content, tmp_path)


def test_one_file_of_two_readings_is_seen(tmp_path, monkeypatch):
    made = model()
    made.ClearField("producer_name")
    content = marked(made.SerializeToString())
    assert differential.disagreement(content, tmp_path) is None
    monkeypatch.setattr(differential.onnx_file, "_MARK", b"none")
    assert "a path or its bytes alone are refused" in differential.disagreement(content, tmp_path)


def test_an_exception_of_the_reader_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(inspection.sizes, "check", lambda *_: 1 / 0)
    found = differential.disagreement(model().SerializeToString(), tmp_path)
    assert found.startswith("the reader raises ZeroDivisionError")


@pytest.mark.skipif(not shutil.which("strace"), reason="files are traced with strace")
def test_a_file_that_is_read_is_seen(tmp_path):
    """The trace of a model whose weights are elsewhere, as if a reader had overlooked them."""
    made = model()
    made.graph.initializer[0].ClearField("raw_data")
    made.graph.initializer[0].data_location = TensorProto.EXTERNAL
    made.graph.initializer[0].external_data.add(key="location", value=ELSEWHERE)
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / ELSEWHERE).write_bytes(bytes(48))
    (tmp_path / "given").write_bytes(made.SerializeToString())
    program = (
        "import os, sys; from pathlib import Path; from tests.fuzz import differential\n"
        "place = Path(sys.argv[1]); os.path.exists('/differential/5')\n"
        "print(differential.facts((place / 'given').read_bytes(), place / 'scratch'))"
    )
    trace = tmp_path / "trace"
    done = differences.traced([sys.executable, "-c", program, str(tmp_path)], trace)
    assert done.returncode == 0
    found = list(differences.opened(trace))
    assert {number for number, _ in found} == {"5"}
    assert any(call.startswith("openat ") and call.endswith(f"/{ELSEWHERE}") for _, call in found)


def test_inputs_are_named_for_ever():
    models = [model().SerializeToString(), function("F", RANDOM)]
    made = [differences.case(models, number) for number in range(50)]
    assert made == [differences.case(models, number) for number in range(50)]
    assert len(set(made)) > 30


@pytest.mark.slow
def test_a_short_run_finds_nothing():
    found = run("tests.fuzz.differences", "--count", 300)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "; 0 differ" in found.stdout
    assert "ran," in found.stdout
    if shutil.which("strace"):
        assert "files outside the known: 0" in found.stdout
