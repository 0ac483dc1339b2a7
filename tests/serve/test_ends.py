"""How a server ends: asked to, interrupted, killed, without its graph, and where it cannot begin."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from deliver.server.__main__ import listen
from tests.serve.conftest import Server, children, started
from tests.support.commands import call, environment_of_make
from tests.support.places import ROOT
from tests.support.server_process import answers, free_ports, serving

pytestmark = pytest.mark.serve


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def gone(pid, seconds=10):
    deadline = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not is_alive(pid)


def command(*arguments):
    return [sys.executable, "-m", "deliver.server", *map(str, arguments)]


@pytest.fixture
def stopping(artifact):
    """A server that is told to stop while its graph is stopped and eight requests wait; what came of it."""

    def call(number, paused_seconds):
        (port,) = free_ports(1)
        line = command(artifact, "--port", port, "--threads", 2)
        process = subprocess.Popen(line, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        server, replies = Server(port, process.pid, artifact), []
        try:
            while not answers(f"http://127.0.0.1:{port}/health")():
                assert process.poll() is None
            (graph,) = children(process.pid)
            os.kill(graph, signal.SIGSTOP)
            body = json.dumps({"texts": ["a b"] * 20}).encode()
            asking = [
                threading.Thread(target=lambda: replies.append(server.send("POST", "/classify", body)))
                for _ in range(8)
            ]
            for thread in asking:
                thread.start()
            # All have asked: the first request runs, in two batches of ten texts; the others wait.
            while "classifier_waiting_texts 140.0" not in server.send("GET", "/metrics").content:
                assert process.poll() is None
            process.send_signal(number)
            time.sleep(paused_seconds)
            # It may have ended meanwhile.
            with suppress(ProcessLookupError):
                os.kill(graph, signal.SIGCONT)
            for thread in asking:
                thread.join()
            assert process.wait(30) == 0
        finally:
            process.kill()
        assert gone(graph)
        return replies, process.stderr.read()

    return call


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_has_asked_is_answered_before_it_ends(stopping, number):
    replies, said = stopping(number, 0)
    assert [len(reply.content["answers"]) for reply in replies] == [20] * 8
    assert said == ""


def test_who_cannot_be_answered_in_time_is_told_so(stopping):
    replies, said = stopping(signal.SIGTERM, 10)
    assert [reply.status for reply in replies] == [503] * 8
    assert {reply.content["error"] for reply in replies} == {
        "the server stops, and has no time left for this"
    }
    assert said.startswith("Cancel 8 running task(s)")


def test_killed_it_leaves_no_process(artifact, tmp_path):
    (port,) = free_ports(1)
    process = subprocess.Popen(command(artifact, "--port", port), cwd=ROOT)
    try:
        while not answers(f"http://127.0.0.1:{port}/health")():
            assert process.poll() is None
        (graph,) = children(process.pid)
    finally:
        process.kill()
    process.wait()
    assert gone(graph)


@pytest.mark.parametrize("path", ["/classify", "/health"])
def test_without_its_graph_it_says_so_and_ends(artifact, path):
    (port,) = free_ports(1)
    process = subprocess.Popen(command(artifact, "--port", port), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        while not answers(f"http://127.0.0.1:{port}/health")():
            assert process.poll() is None
        (graph,) = children(process.pid)
        os.kill(graph, signal.SIGKILL)
        given = ("POST", path, b'{"texts": ["a"]}') if path == "/classify" else ("GET", path)
        reply = Server(port, process.pid, artifact).send(*given)
        assert (reply.status, reply.content) == (
            500,
            {"error": "the graph failed; the server's log says why"},
        )
        assert process.wait(30) == 2
    finally:
        process.kill()
    lines = process.stderr.read().splitlines()
    assert "ended with SIGKILL" in lines[-1]
    assert all(line.startswith("error: ") for line in lines)


def test_a_pause_of_the_machine_is_no_fault_of_the_graphs(artifact, tmp_path):
    with started(artifact, tmp_path / "log") as server:
        (graph,) = children(server.pid)
        os.kill(graph, signal.SIGSTOP)
        found = []
        asking = threading.Thread(target=lambda: found.append(len(server.classify("a"))))
        asking.start()
        # An untrusted graph would have been given up after 8.
        time.sleep(10)
        os.kill(graph, signal.SIGCONT)
        asking.join()
    assert found == [1]


def one_line(ended, *words):
    assert ended.returncode == 2
    lines = [line for line in ended.stderr.splitlines() if not line.startswith("make: ***")]
    assert len(lines) == 1, ended.stderr
    for word in ("error: ", *words):
        assert word in lines[0]


def make(*arguments):
    return call("make", "-s", "serve", *arguments, env=environment_of_make("HOST", "PORT"), timeout=120)


def test_a_port_that_is_taken_is_one_line(artifact):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = make(f"ARTIFACT={artifact}", f"PORT={port}")
    one_line(told, f"127.0.0.1:{port}: cannot be listened on: Address already in use")


def test_no_answer_waits_for_its_heads_acknowledgement():
    # asyncio sets TCP_NODELAY where the protocol is stated; else the body comes 40 ms after the head.
    with listen("127.0.0.1", 0) as listening:
        assert listening.proto == socket.IPPROTO_TCP


def test_what_cannot_be_served_is_one_line(artifact, tmp_path):
    one_line(make(f"ARTIFACT={tmp_path}"), f"{tmp_path}/manifest.json: not an artifact's manifest")
    one_line(
        make(f"ARTIFACT={artifact}", "VARIANT=int4"), "found 'int4'; expected one of fp32, int8, guarded"
    )
    one_line(make(f"ARTIFACT={artifact}", "PORT=65536"), "port: found 65536, expected 0 to 65535")
    one_line(
        make(f"ARTIFACT={artifact}", "HOST=nowhere.invalid"), "nowhere.invalid:8080: found no such address"
    )
    one_line(make(f"ARTIFACT={artifact}", "OPTIONS=--threads -1"), "--threads -1: expected 1 or more")
    copy = shutil.copytree(artifact, tmp_path / "copy")
    (copy / "tokenizer.json").write_text("{}")
    one_line(make(f"ARTIFACT={copy}"), "tokenizer.json: found 2 bytes, expected")


def test_make_serves_from_a_path_of_any_name_and_an_interrupt_ends_it_all(artifact, tmp_path):
    folder = tmp_path / "we'i:r #d;$x é"
    folder.symlink_to(artifact.resolve())
    relative = os.path.relpath(folder, ROOT)
    (port,) = free_ports(1)
    line = ["make", "-s", "serve", f"ARTIFACT={relative}", f"PORT={port}", "VARIANT=fp32"]
    given = {
        # tcsh exports a HOST, which is the machine's.
        "environment": {"MAKEFLAGS": "", "MAKELEVEL": "", "HOST": "nowhere.invalid"},
        "cwd": ROOT,
        "stopped_with": (-signal.SIGINT, -signal.SIGTERM),
    }
    with serving(line, answers(f"http://127.0.0.1:{port}/health"), tmp_path / "log", **given) as process:
        server = Server(port, process.pid, tmp_path / "log")
        assert server.send("GET", "/").content["variant"] == "fp32"
        assert len(server.classify("I love this!")) == 1
    text = (tmp_path / "log").read_text()
    assert text.startswith(f"  serve    http://127.0.0.1:{port}  minilm-l6-go-emotions, fp32, ")
    assert text.count("\n") == 1


def test_any_port_is_told_and_a_relative_path_is_of_the_folder_that_one_is_in(artifact, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command(artifact.name, "--port", 0),
        cwd=artifact.parent,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        port = int(process.stdout.readline().split("127.0.0.1:")[1].split()[0])
        assert len(Server(port, process.pid, tmp_path).classify("a")) == 1
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()


def test_on_all_addresses_it_says_who_can_reach_it(artifact, tmp_path):
    with started(artifact, tmp_path / "log", "--host", "0.0.0.0"):
        pass
    assert "other machines can reach it" in (tmp_path / "log").read_text()
