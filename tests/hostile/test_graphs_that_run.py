"""Graphs that ask for memory or time once there is an input: one line from make and every command."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import onnx
import psutil
import pytest
from onnx import helper

from core.contract import VARIANT_FILES
from core.untrusted import limits
from core.untrusted.limited.allowance import TIME_FACTOR
from tests.support import artifacts, heads
from tests.support.building import LABELS, make, tiny
from tests.support.factories import Shape
from tests.support.forge import linked_copy, mend, reseal, rewrite
from tests.support.onnx_files import memory_on_input, poisoned, time_on_input
from tests.support.places import ROOT

KINDS = {"memory": memory_on_input, "time": time_on_input}
SECONDS = 20  # the 10 on a machine with nothing else to do
REFUSED = r"(refused: takes over \d+ s|fails .*(bad allocation|allocate))"


def poison(path, kind, source, output):
    made = poisoned(onnx.load(path), KINDS[kind](source), output)
    rewrite(path, made.SerializeToString())


def measured(*line):
    """Run a command; return its result, how long it took, and the most memory of it and its children."""
    start, most = time.monotonic(), 0
    process = subprocess.Popen(
        list(map(str, line)), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    tree = psutil.Process(process.pid)
    while process.poll() is None:
        held = 0
        for one in [tree, *children(tree)]:
            try:
                held += one.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        most = max(most, held)
        time.sleep(0.02)
    out, err = process.communicate()
    found = subprocess.CompletedProcess(line, process.returncode, out, err)
    return found, time.monotonic() - start, most


def children(process):
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def assert_refused(found, file, status=2):
    result, seconds, most = found
    assert result.returncode == status, result.stdout + result.stderr
    [line] = [line for line in result.stderr.splitlines() if "error: " in line]
    assert re.search(rf"{re.escape(file)}.*{REFUSED}", line), line
    assert "Traceback" not in result.stderr
    assert seconds < SECONDS
    assert most < 1_000_000_000


@pytest.fixture
def small(tmp_path):
    """Make an artifact of a few kilobytes whose fp32 is poisoned; return it and its sound twin."""

    def write(kind):
        sound, spoilt = (
            artifacts.artifact(tmp_path / name, {"fp32": 0.0}, max_probability_error=1e-3)
            for name in ("sound", "spoilt")
        )
        poison(spoilt / VARIANT_FILES["fp32"], kind, "input_ids", "logits")
        (spoilt / "config.json").write_text(json.dumps({"vocab_size": 40, "max_position_embeddings": 64}))
        artifacts.listed(spoilt)
        (tmp_path / "in.jsonl").write_text('{"text": "the a b c"}\n' * 9)
        return spoilt, sound

    return write


COMMANDS = {
    "parity": ("verify", "parity", "{spoilt}"),
    "compare": ("verify", "compare", "{sound}", "{spoilt}"),
    "stress": ("verify", "stress", "{spoilt}", "--batches", "3"),
    "score": ("score", "{spoilt}", "{texts}", "{out}", "--variant", "fp32"),
}
RUNS = [
    pytest.param(command, kind, marks=[pytest.mark.slow] if kind == "time" and command != "score" else [])
    for command in COMMANDS
    for kind in KINDS
]


@pytest.mark.parametrize(("command", "kind"), RUNS)
def test_a_command_that_runs_it(small, tmp_path, command, kind):
    spoilt, sound = small(kind)
    places = {"spoilt": spoilt, "sound": sound, "texts": tmp_path / "in.jsonl", "out": tmp_path / "out.csv"}
    line = [part.format(**places) for part in COMMANDS[command]]
    found = measured(sys.executable, "-m", *line)
    if command == "stress" and kind == "memory":
        # A run that fails is a violation of one batch; the next may do.
        assert found[0].returncode == 1
        assert "fails: " in found[0].stderr
        assert found[2] < 1_000_000_000
    else:
        assert_refused(found, VARIANT_FILES["fp32"])
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("onnx/model.onnx", "memory"),
        ("onnx/model_quantized.onnx", "memory"),
        pytest.param("onnx/model.onnx", "time", marks=pytest.mark.slow),
    ],
)
def test_verify_artifact(tiny_build, tmp_path, name, kind):
    copy = linked_copy(tiny_build.dist, tmp_path / "copy")
    poison(copy / name, kind, "input_ids", "joy")
    mend(copy)
    # A verdict on the artifact.
    assert_refused(measured(sys.executable, "-m", "verify", "artifact", copy), name, status=1)


def test_verify_parity_of_the_graph_that_takes_texts(tiny_build, tmp_path):
    copy = linked_copy(tiny_build.dist, tmp_path / "copy")
    path = copy / "onnx/model_text.onnx"
    made = onnx.load(path)
    lengths = helper.make_node("Size", ["text"], ["poison_size"])
    made = poisoned(made, [lengths, *memory_on_input("poison_size")], "joy")
    rewrite(path, made.SerializeToString())
    reseal(copy)
    assert_refused(measured(sys.executable, "-m", "verify", "parity", copy), "model_text.onnx")


def head_of(folder, kind, width):
    nodes = [helper.make_node("Gemm", ["x", "w"], ["z"]), helper.make_node("Sigmoid", ["z"], ["p"])]
    nodes.append(helper.make_node("Identity", ["p"], ["y"]))
    w = np.random.default_rng(0).standard_normal((width, len(LABELS))).astype(np.float32)
    made = heads.graph(nodes, width, {"y": ["N", len(LABELS)]}, {"w": w})
    return heads.write_head(folder, poisoned(made, KINDS[kind]("x"), "p"), LABELS)


@pytest.mark.parametrize("kind", ["memory", pytest.param("time", marks=pytest.mark.slow)])
def test_make_artifact_of_a_head(tmp_path, kind):
    _, _, variables = tiny(tmp_path)
    before = set(tmp_path.iterdir())
    found = make("artifact", **variables, HEAD=f"path:{head_of(tmp_path / 'hostile', kind, Shape().hidden)}")
    assert found.returncode == 2, found.stdout
    [line] = [line for line in found.stderr.splitlines() if "error: " in line]
    assert re.search(rf"hostile/model\.onnx: {REFUSED}", line), line
    assert {path.name for path in set(tmp_path.iterdir()) - before} <= {"hostile", "build", "dist"}
    assert not (tmp_path / "dist").exists()


# So far off that a machine with much else to do is no reason to be ended by it.
FACTOR = 10
OWN_END = limits.RUN_SECONDS * FACTOR


@pytest.mark.parametrize("command", ["parity", "score"])
def test_an_interrupt_is_heard_while_it_runs(small, tmp_path, command):
    spoilt, sound = small("time")
    places = {"spoilt": spoilt, "sound": sound, "texts": tmp_path / "in.jsonl", "out": tmp_path / "out.csv"}
    line = [sys.executable, "-m", *(part.format(**places) for part in COMMANDS[command])]
    environment = os.environ | {TIME_FACTOR: str(FACTOR)}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(line, cwd=ROOT, env=environment, start_new_session=True, **pipes)
    tree = psutil.Process(process.pid)
    while not any(busy(child) for child in tree.children()):
        assert process.poll() is None
        time.sleep(0.05)
    [runs] = tree.children()
    start = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=OWN_END)
    assert time.monotonic() - start < OWN_END / 4  # 2 on a machine with nothing else to do
    assert process.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    runs.wait(5)


def busy(child):
    """Whether a process has begun to multiply: its libraries take less than a second."""
    try:
        return sum(child.cpu_times()[:2]) > 1.2
    except psutil.NoSuchProcess:
        return False
