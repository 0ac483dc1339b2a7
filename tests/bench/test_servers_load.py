"""The load on servers counts what it says it does, against a server whose faults are known."""

from __future__ import annotations

import sys
import threading
import time

import numpy as np
import pytest

from bench.servers.load import HEADER, Answer, run
from tests.support import server_process
from tests.support.server_process import answers, free_ports, processes_of, serving

TEXTS = [f"text {index}" for index in range(10)]


def answer(number, decided=True):
    return Answer(np.array([number, 0.5], np.float32), np.array([decided, False]))


EXPECTED = [answer(index / 10) for index in range(10)]


def test_each_text_is_asked_as_often_by_as_many_callers_at_once():
    asked, connections, together = [], [], threading.Barrier(4, timeout=10)

    def connect():
        connections.append(threading.get_ident())
        together.wait()

        def ask(text):
            asked.append(text)
            return EXPECTED[TEXTS.index(text)]

        return ask

    found = run(connect, TEXTS, EXPECTED, callers=4, requests=40)
    assert sorted(asked) == sorted(TEXTS * 4)
    assert len(set(connections)) == len(connections) == 4
    assert (found.answered, found.failed, found.different, found.largest_change) == (40, 0, 0, 0.0)
    assert found.row().count("|") == HEADER.splitlines()[0].count("|")


def test_answers_that_differ_and_requests_that_fail_are_counted():
    def connect():
        def ask(text):
            index = TEXTS.index(text)
            if index == 3:
                raise ConnectionError("gone")
            return answer(index / 10 + 0.25 * (index == 5), decided=index != 7)

        return ask

    found = run(connect, TEXTS, EXPECTED, callers=2, requests=20)
    assert (found.answered, found.failed, found.different) == (18, 2, 2)
    assert found.first_failure == "ConnectionError: gone"
    assert found.largest_change == pytest.approx(0.25)


def test_latencies_are_those_of_the_answers():
    def connect():
        def ask(text):
            time.sleep(0.2 if text == TEXTS[0] else 0.01)
            return EXPECTED[TEXTS.index(text)]

        return ask

    found = run(connect, TEXTS, EXPECTED, callers=1, requests=10)
    assert 10 <= found.p50_ms < 100 < 150 <= found.p99_ms
    assert found.texts_per_second == pytest.approx(10 / found.seconds)


def test_time_bounds_a_load():
    def connect():
        return lambda text: time.sleep(0.05) or EXPECTED[TEXTS.index(text)]

    found = run(connect, TEXTS, EXPECTED, callers=2, requests=10_000, max_seconds=0.3)
    assert 0 < found.answered <= 14


SERVER = """
import http.server, subprocess, sys
if "child" in sys.argv:
    subprocess.Popen(["sleep", "60"], start_new_session=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def test_a_server_is_started_and_stopped(tmp_path):
    (port,) = free_ports(1)
    is_up = answers(f"http://127.0.0.1:{port}/")
    assert not is_up()
    with serving([sys.executable, "-c", SERVER, port], is_up, tmp_path / "log", cwd=tmp_path) as process:
        assert is_up()
    assert process.returncode < 0
    assert not is_up()


def test_a_process_left_behind_is_found_and_ended(tmp_path, monkeypatch):
    marks = []
    monkeypatch.setattr(server_process, "processes_of", lambda mark: marks.append(mark) or processes_of(mark))
    (port,) = free_ports(1)
    command = [sys.executable, "-c", SERVER, port, "child"]
    with (
        pytest.raises(AssertionError, match=r"left behind: .*sleep 60"),
        serving(command, answers(f"http://127.0.0.1:{port}/"), tmp_path / "log", cwd=tmp_path),
    ):
        pass
    assert not processes_of(marks[0])


def test_a_server_that_ends_says_why(tmp_path):
    command = [sys.executable, "-c", "print('no such model'); raise SystemExit(3)"]
    with (
        pytest.raises(AssertionError, match=r"ended with 3 before it was ready:\nno such model"),
        serving(command, lambda: False, tmp_path / "log"),
    ):
        pytest.fail("it was never ready")


def test_a_server_that_is_never_ready_is_ended(tmp_path):
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with (
        pytest.raises(AssertionError, match=r"not ready after 0\.3 s"),
        serving(command, lambda: False, tmp_path / "log", start_seconds=0.3),
    ):
        pytest.fail("it was never ready")
