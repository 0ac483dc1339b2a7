"""Contenders that die, babble or hang: one sentence that names them, and nobody is left running."""

from __future__ import annotations

import sys
from contextlib import closing

import numpy as np
import pytest

from bench.contenders.protocol import Worker, started
from core.errors import BenchmarkError
from tests.support.commands import python
from tests.support.contenders import program, steady

IDS = [[2, 5, 3], [2, 3]]
ECHO = "for line in sys.stdin:\n    say(seconds=[0.25, 0.5, 0.5], peak_bytes=5)\n"


def test_a_worker_is_asked_and_the_first_batch_is_a_warm_up(tmp_path):
    log = tmp_path / "log"
    with closing(Worker("a", steady("a", 0.5, log), 20)) as worker:
        assert worker.ready["size_bytes"] == 7
        assert worker.seconds([IDS, IDS[:1]]) == [1.0, 0.5]
        assert worker.peak_bytes == 99
        assert worker.probabilities(IDS) == [[0.5], [0.5]]
    assert log.read_text() == "a [2, 2, 1]\n"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            program("raise SystemExit('no such weights')", ready=False),
            r"ended \(exit status 1\); .*no such weights",
        ),
        (program("print('hello')", ready=False), r"answered with 'hello', expected an object of \["),
        (program("say(load_seconds=1)", ready=False), "answered with '{\"load_seconds\": 1}', expected"),
        (["/nowhere/python"], "cannot be started"),
    ],
)
def test_a_worker_that_does_not_start(command, message):
    with pytest.raises(BenchmarkError, match=f"slowpoke: {message}"):
        Worker("slowpoke", command, 20)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("sys.stdin.readline(); raise ValueError('broken inside')", "ended .*ValueError: broken inside"),
        ("sys.exit(3)", r"ended \(exit status 3\)"),
        ("print('?', flush=True); sys.stdin.read()", "answered with '\\?'"),
        (ECHO.replace("0.5, 0.5]", "0.5]"), r"answered with \[0.25, 0.5\], expected 3 times"),
        (ECHO.replace("0.25", "-0.25"), r"answered with \[-0.25"),
        (ECHO.replace("[0.25, 0.5, 0.5]", "None"), "answered with None"),
    ],
)
def test_a_worker_that_fails_on_the_way_ends_everybody(tmp_path, body, message):
    commands = {"good": steady("good", 0.5, tmp_path / "log"), "bad": program(body)}
    with started(commands, 20) as workers:
        processes = [worker._process for worker in workers.values()]
        workers["good"].seconds([IDS, IDS])
        with pytest.raises(BenchmarkError, match=f"contender bad: {message}"):
            workers["bad"].seconds([IDS, IDS])
    assert all(process.returncode is not None for process in processes)


@pytest.mark.parametrize(
    "body", ["import time; time.sleep(60)", "sys.stdin.readline(); import time; time.sleep(60)"]
)
def test_a_worker_that_hangs_is_killed(body, monkeypatch):
    monkeypatch.setattr("bench.contenders.protocol._END_SECONDS", 0.2)
    # More than a pipe holds: it must not matter whether anybody reads it.
    large = [[[7] * 100_000]]
    with (
        closing(Worker("mute", program(body), 0.5)) as worker,
        pytest.raises(BenchmarkError, match=r"has not .* for 0\.5 s"),
    ):
        worker.seconds(large)
    assert worker._process.returncode is not None


def test_a_graph_that_does_not_load_is_the_workers_last_word(tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no graph")
    command = [sys.executable, "-m", "bench", "bare-products", str(broken), "--threads", "1"]
    with pytest.raises(BenchmarkError, match=r"broken\.onnx: onnxruntime does not load it"):
        Worker("peak", command, 60)


def test_a_childs_peak_memory_is_its_own():
    ballast = np.ones(60_000_000)
    found = python("from bench.contenders.protocol import peak_bytes; print(peak_bytes())", check=True)
    assert 1e6 < int(found.stdout) < ballast.nbytes / 2
