"""A server of the artifact in a process of its own, and one that asks it."""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from bench.servers.load import Answer
from tests.support.direct import asked_texts, expected_answers  # noqa: F401
from tests.support.places import ROOT
from tests.support.server_process import answers, free_ports, serving

# What imports the server needs its libraries, which the environment of `make test` has not.
collect_ignore = [] if find_spec("uvicorn") else ["test_app.py", "test_ends.py"]


def children(pid: int) -> list[int]:
    """Return the processes that one has started, in any of its threads."""
    files = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in files for child in file.read_text().split()]


class Reply(NamedTuple):
    """What came back: the status, the headers, and the JSON or text."""

    status: int
    headers: dict[str, str]
    content: object


class Server(NamedTuple):
    """A server that answers on a port of the loopback; its process, and the file of what it prints."""

    port: int
    pid: int
    log: Path

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        """Ask on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers)
            return _reply(connection)
        finally:
            connection.close()

    def classify(self, *texts: str) -> list[Answer]:
        """Answer texts in one request."""
        reply = self.send("POST", "/classify", json.dumps({"texts": texts}).encode())
        assert reply.status == 200, reply
        return [as_answer(row) for row in reply.content["answers"]]

    def connect(self):
        """Open a connection that stays: a function of one text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

        def ask(text: str) -> Answer:
            connection.request("POST", "/classify", json.dumps({"texts": [text]}))
            reply = _reply(connection)
            if reply.status != 200:
                raise ConnectionError(f"{reply.status} {reply.content}")
            return as_answer(reply.content["answers"][0])

        return ask


def _reply(connection: http.client.HTTPConnection) -> Reply:
    response = connection.getresponse()
    content, headers = response.read(), {key.lower(): value for key, value in response.getheaders()}
    is_json = headers.get("content-type") == "application/json"
    return Reply(response.status, headers, json.loads(content) if is_json else content.decode())


def as_answer(row: dict) -> Answer:
    """Return the arrays of one text's answer, in the order in which it names the labels."""
    probabilities = np.array(list(row["probabilities"].values()), np.float32)
    return Answer(probabilities, np.array([label in row["labels"] for label in row["probabilities"]]))


@contextmanager
def started(folder: Path, log: Path, *options: object, **more: object) -> Iterator[Server]:
    """Serve an artifact while the block lasts."""
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "deliver.server", folder, "--port", port, *options]
    more = {"cwd": ROOT, "stopped_with": (0,), **more}
    with serving(command, answers(f"http://127.0.0.1:{port}/health"), log, **more) as process:
        yield Server(port, process.pid, log)


@pytest.fixture(scope="module")
def server(artifact, tmp_path_factory):
    """The variant that is served where none is named."""
    with started(artifact, tmp_path_factory.mktemp("server") / "log") as found:
        yield found
