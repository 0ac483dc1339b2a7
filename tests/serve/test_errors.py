"""What is wrong with a request is said in JSON, and the next one is answered."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from deliver.server import request as limits
from deliver.server.batcher import WAITING
from tests.serve.conftest import children, started

pytestmark = pytest.mark.serve


def body(texts):
    return json.dumps({"texts": texts}).encode()


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        (b"", 400, "body: cannot be read as JSON"),
        (b"I love this!", 400, "body: cannot be read as JSON"),
        (b'{"texts": ["\xff"]}', 400, "body: cannot be read as JSON"),
        (b'{"texts": ["a"], "texts": ["b"]}', 400, "duplicate key 'texts'"),
        (b'{"texts": ["\\ud800"]}', 400, "is no character"),
        (b"[" * 100_000, 400, "body: cannot be read as JSON"),
        (b'["a"]', 400, 'body: found a list, expected {"texts": '),
        (b"{}", 400, "body: texts is missing"),
        (b'{"text": "a"}', 400, "body: found 'text'"),
        (body("a"), 400, "texts: found a string, expected a list of strings"),
        (body(None), 400, "texts: found null"),
        (body([]), 400, f"texts: found 0, expected 1 to {limits.TEXTS}"),
        (body(["a"] * (limits.TEXTS + 1)), 400, f"texts: found {limits.TEXTS + 1}, expected 1 to"),
        (body(["a", 3]), 400, "texts[1]: found a number, expected a string"),
        (body([["a"]]), 400, "texts[0]: found a list"),
        (body([True]), 400, "texts[0]: found true or false"),
        (body(["a" * (limits.CHARACTERS + 1)]), 400, "texts[0]: found 100,001 characters"),
        (b" " * (limits.BODY_BYTES + 1), 413, "body: found 2,097,153 bytes, expected at most 2,097,152"),
        (b" " * 8 * limits.BODY_BYTES, 413, "body: found 16,777,216 bytes"),
    ],
)
def test_a_request_that_is_none_is_told_why(server, given, status, words):
    reply = server.send("POST", "/classify", given)
    assert reply.status == status
    assert set(reply.content) == {"error"}
    assert words in reply.content["error"]
    assert server.send("GET", "/health").status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/classify", 405), ("POST", "/health", 405), ("GET", "/a", 404)]
)
def test_what_is_asked_elsewhere(server, method, path, status):
    reply = server.send(method, path)
    assert reply.status == status
    assert f"{method} {path}: expected POST /classify" in reply.content["error"]


def test_odd_texts_are_answered(server):
    odd = ["", " ", "\0", "a\0b", "[SEP]", "\u202e", "🤣" * 3_000, "x" * limits.CHARACTERS, "\n\r\t"]
    assert len(server.classify(*odd)) == len(odd)
    reply = server.send("POST", "/classify", body(["a" * 5_000] * limits.TEXTS))
    assert reply.status == 200
    assert len(reply.content["answers"]) == limits.TEXTS


def test_a_client_that_leaves_or_speaks_no_http_disturbs_nobody(server):
    for sent in (
        b"POST /classify HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{",
        b"POST /classify HTTP/1.1\r\nHost: a\r\nContent-Length: 16\r\n\r\n" + body(["a"]),
        b"\x16\x03\x01\x02\x00\x01",
    ):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(sent)
    assert server.classify("a")
    assert server.log.read_text().count("\n") == 1, server.log.read_text()


def test_too_many_texts_are_told_to_come_again_and_the_others_answered(artifact, tmp_path):
    with started(artifact, tmp_path / "log") as server, ThreadPoolExecutor(64) as pool:
        (graph,) = children(server.pid)
        os.kill(graph, signal.SIGSTOP)
        try:
            sent = [
                pool.submit(server.send, "POST", "/classify", body(["a"] * limits.TEXTS))
                for _ in range(2 * WAITING // limits.TEXTS)
            ]
            deadline = time.monotonic() + 4
            while not any(future.done() for future in sent) and time.monotonic() < deadline:
                time.sleep(0.05)
            refused = [future.result() for future in sent if future.done()]
        finally:
            os.kill(graph, signal.SIGCONT)
        replies = [future.result() for future in sent]
    assert refused
    assert {reply.status for reply in refused} == {503}
    assert {reply.headers["retry-after"] for reply in refused} == {"1"}
    answered = [reply for reply in replies if reply.status == 200]
    assert {reply.status for reply in replies} == {200, 503}
    assert len(answered) >= WAITING // limits.TEXTS
    assert all(len(reply.content["answers"]) == limits.TEXTS for reply in answered)
