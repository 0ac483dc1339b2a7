"""Limited processes: what they carry is exact, what they take is bounded, and how they end."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import onnx
import psutil
import pytest
from onnx import TensorProto, helper

from core import runtime
from core.errors import ArtifactError, HeadError
from core.untrusted import limits
from core.untrusted.limited import allowance, frames, process
from core.untrusted.limited.graph_session import GraphSession
from core.untrusted.limited.process import CallError
from tests.support.onnx_files import (
    memory_on_input,
    model,
    outer_products,
    poisoned,
    slow_to_open,
    time_on_input,
)
from tests.support.places import ROOT


def opened(made: onnx.ModelProto) -> GraphSession:
    session = GraphSession("here", ArtifactError)
    session.open(made.SerializeToString(), 1)
    return session


def carried(values, most=None):
    source, target = os.pipe()
    with io.FileIO(source, "r") as reading, io.FileIO(target, "w") as writing:
        pieces = frames.pack({"number": 7}, values, most)
        writer = threading.Thread(target=frames.write, args=(writing, pieces, threading.Lock()))
        writer.start()
        header, size = frames.read_header(reading)
        found = frames.read_values(reading, header, size)
        writer.join()
    return found


VALUES = {
    "floats": np.array([[1e-45, np.nan, np.inf], [-0.0, 1 / 3, 3e38]], np.float32),
    "halves": np.array([0.1], np.float16),
    "truths": np.array([True, False, True]),
    "none": np.zeros((0, 28), np.float32),
    "a scalar": np.array(5, np.int64),
    "transposed": np.arange(6).reshape(2, 3).T,
    "texts": np.array([["a\n\0\x1b", ""], ["Zoë", "🤦"]], object),
    "maps": [{"joy": 0.25, "anger": 1e-300}, {"joy": 1.0, "anger": 0.0}],
    "maps of numbers": [{1: 0.5, 2: 0.25}],
    "a sequence": [np.ones((2, 2)), np.zeros(0, np.uint8)],
    "no sequence": [],
    "nothing": None,
}


@pytest.mark.parametrize("name", VALUES)
def test_what_is_carried_is_what_was_given(name):
    [found, last] = carried([VALUES[name], np.arange(3)])
    assert repr(found) == repr(VALUES[name])
    if isinstance(found, np.ndarray) and found.dtype.kind == "f":
        assert found.tobytes() == VALUES[name].tobytes()
    assert last.tolist() == [0, 1, 2]


@pytest.mark.parametrize("value", [["a\ud800"], [1j], [{"a": 1.0}, {"b": 1.0}], [{"a": "x"}]])
def test_what_cannot_be_carried(value):
    with pytest.raises(ValueError, match=r"surrogates not allowed|type complex|different keys|float"):
        frames.pack({}, [value])


@pytest.mark.parametrize(
    "told",
    [
        {"kind": "array", "dtype": "float32", "shape": [2], "bytes": 64},
        {"kind": "array", "dtype": "float32", "shape": [2**62], "bytes": 8},
        {"kind": "array", "dtype": "float32", "shape": [-1], "bytes": 8},
        {"kind": "array", "dtype": "float32", "shape": [2.0], "bytes": 8},
        {"kind": "array", "dtype": "object", "shape": [1], "bytes": 8},
        {"kind": "array", "dtype": "float32", "shape": [2], "bytes": -8},
        {"kind": "array", "dtype": "float32", "shape": [18], "bytes": 72},
        {"kind": "texts", "shape": [2], "bytes": 8},
        {"kind": "pickle", "shape": [2], "bytes": 8},
        {"kind": "maps", "keys": ["a"], "numbers": {"kind": "none"}},
        {"kind": "list"},
        {},
        5,
    ],
)
def test_what_a_message_says_must_be_what_it_holds(told):
    with pytest.raises(frames.FrameError):
        frames.read_values(io.BytesIO(bytes(64)), {"values": [told]}, 64)


@pytest.mark.parametrize(
    "start", [b"\xff" * 12, b"\0\0\0\2" + bytes(8) + b"[]", b"\0\0\0\2" + bytes(8) + b"{}"]
)
def test_a_message_that_is_none(start):
    with pytest.raises(frames.FrameError):
        frames.read_header(io.BytesIO(start))
    assert frames.read_header(io.BytesIO(b"abc")) is None


def test_a_graph_answers_as_in_this_process():
    made, x = model(), np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    session, own = opened(made), runtime.open_session(made.SerializeToString())
    assert np.array_equal(session.run(["y"], {"x": x})[0], own.run(["y"], {"x": x})[0])
    assert [tuple(value) for value in session.get_inputs()] == [("x", "tensor(float)", ["N", 4])]
    assert [value.name for value in session.get_outputs()] == ["y"]
    for feeds in ({}, {"x": x[0]}, {"x": x.astype(int)}, {"z": x}):
        with pytest.raises(CallError):
            session.run(None, feeds)
    found = {}

    def call(number):
        found[number] = [session.run(None, {"x": x * number})[0] for _ in range(20)]

    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, answers in found.items():
        assert all(np.array_equal(answer, own.run(None, {"x": x * number})[0]) for answer in answers)


@pytest.mark.parametrize("made", [outer_products(), poisoned(model(), memory_on_input("x"), "y")])
def test_memory_that_a_graph_asks_for_is_not_there(made):
    session, start = opened(made), time.monotonic()
    with pytest.raises(CallError, match=r"(bad allocation|allocate)"):
        session.run(None, {"x": np.ones((1, 4), np.float32)})
    assert psutil.Process(session.pid).memory_info().rss < limits.GIB
    assert time.monotonic() - start < 10


def test_a_graph_that_is_slow_to_open_is_ended():
    made = slow_to_open()
    start = time.monotonic()
    with pytest.raises(ArtifactError, match=r"^here: (refused: takes over 4 s|onnxruntime does not load it)"):
        opened(made)
    assert time.monotonic() - start < 10


def test_a_slow_run_is_ended_for_all_who_wait():
    session = opened(poisoned(model(), time_on_input("x"), "y"))
    start, x = time.monotonic(), np.ones((1, 4), np.float32)
    with pytest.raises(ArtifactError, match=r"^here: refused: takes over \d s$"):
        session.run(None, {"x": x})
    assert time.monotonic() - start < 10
    with pytest.raises(ArtifactError, match=r"^here: refused: takes over \d s$"):
        session.run(None, {"x": x})


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGKILL])
def test_a_crash_takes_nobody_with_it(number):
    session = opened(model())
    os.kill(session.pid, number)
    with pytest.raises(ArtifactError, match=rf"^here: refused: .* ended with {number.name}"):
        session.run(None, {"x": np.ones((1, 4), np.float32)})


def test_an_answer_has_its_limit():
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [4_000_000, 10])
    made = model(
        [
            helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0),
            helper.make_node("Expand", ["most", "shape"], ["y"]),
        ]
    )
    made.graph.initializer.append(shape)
    with pytest.raises(CallError, match="answers with 160,000,000 bytes, expected at most"):
        opened(made).run(None, {"x": np.ones((1, 4), np.float32)})


def test_a_closed_process_is_gone():
    session = opened(model())
    child = psutil.Process(session.pid)
    session.close()
    with pytest.raises(ArtifactError, match="here: refused: it was closed"):
        session.run(None, {"x": np.ones((1, 4), np.float32)})
    child.wait(5)
    session = opened(model())
    child = psutil.Process(session.pid)
    del session
    child.wait(5)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_process_ends_with_its_parent_while_it_works(number, tmp_path):
    made = poisoned(model(), time_on_input("x"), "y")
    (tmp_path / "slow.onnx").write_bytes(made.SerializeToString())
    code = f"""
import numpy as np
from pathlib import Path
from core.errors import ArtifactError
from core.untrusted.limited.graph_session import GraphSession
session = GraphSession("here", ArtifactError)
session.open(Path({str(tmp_path / "slow.onnx")!r}), 1)
print(session.pid, flush=True)
session.run(None, {{"x": np.ones((1, 4), np.float32)}})
"""
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    child = psutil.Process(int(parent.stdout.readline()))
    time.sleep(0.5)
    parent.send_signal(number)
    parent.wait(5)
    child.wait(5)
    parent.stdout.close()


def test_time_has_a_factor_for_slow_processors(monkeypatch):
    monkeypatch.setenv(allowance.TIME_FACTOR, "2.5")
    assert allowance.time_factor(HeadError) == 2.5
    for wrong in ("0", "-1", "nan", "inf", "1001", "a\nb"):
        monkeypatch.setenv(allowance.TIME_FACTOR, wrong)
        with pytest.raises(HeadError, match=r"UNTRUSTED_TIME_FACTOR: found .*, expected a number from 1"):
            GraphSession("here", HeadError)


def test_a_process_that_cannot_be_started_is_a_line(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(HeadError, match="here: no process can be started to read it: No such file"):
        GraphSession("here", HeadError)


def test_allowances_grow_with_the_work():
    def taken(size, *shape):
        return allowance.running(size, [np.zeros(shape, np.int64)])

    small, large = taken(10_000, 32, 128), taken(90_000_000, 128, 512)
    assert small.seconds < limits.RUN_SECONDS + 1
    assert small.memory < 600 * limits.MIB
    # What the largest batch of the soak took, three times over.
    assert large.memory > 3 * 3 * limits.GIB
    assert large.seconds > 60
    texts = np.array(["a" * 1000] * 32, object)
    assert allowance.running(10_000, [texts]).seconds < limits.RUN_SECONDS + 1
    assert process.start is process.spawn
