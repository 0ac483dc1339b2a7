"""The package for infinity, in its own server, started by the line that its page has."""

from __future__ import annotations

import http.client
import json
import os
import shlex
from contextlib import contextmanager

import numpy as np
import pytest

from bench.servers import load
from bench.servers.load import Answer
from deliver import infinity
from deliver.source import open_source
from tests.support import direct, server_process
from tests.support.direct import asked_texts, expected_answers  # noqa: F401
from tests.support.places import ROOT
from tests.support.server_process import answers, free_ports
from tests.support.snippets import snippet

HOST, PORT = "127.0.0.1", "7997"


@pytest.fixture(scope="session")
def source(artifact):
    return open_source(artifact, "int8")


@pytest.fixture(scope="session")
def package(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("infinity") / "package"
    folder.mkdir()
    infinity.fill(source, folder)
    return folder


@pytest.fixture(scope="session")
def page(source, package):
    """A block of the package's page, by its language."""
    title = f"# {source.name} for infinity"
    return lambda language: snippet(title, language, str(package / "README.md"))


@pytest.fixture(scope="session")
def serve(page, tmp_path_factory):
    """Start the server in a folder by the page's line; its port."""

    @contextmanager
    def start(folder, *options, **more):
        environment = {
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(tmp_path_factory.mktemp("cache")),
            "PATH": f"{ROOT / '.venv-infinity' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }
        words = shlex.split(page("sh").replace("\\\n", " "))
        while "=" in words[0]:
            name, _, environment[name] = words.pop(0).partition("=")
        if not (ROOT / ".venv-infinity" / "bin" / words[0]).is_file():
            pytest.fail(f"{words[0]}: not in .venv-infinity: it needs numpy 1, so Python 3.11 or 3.12")
        (port,) = free_ports(1)
        command = [ROOT / ".venv-infinity" / "bin" / words[0], *words[1:]]
        command[command.index(PORT)] = port
        command += options
        up = answers(f"http://{HOST}:{port}/health")
        log = tmp_path_factory.mktemp("log") / "infinity.log"
        how = {"environment": environment, "cwd": folder, "start_seconds": 300, **more}
        with server_process.serving(command, up, log, **how):
            yield port

    return start


@pytest.fixture(scope="session")
def served(serve, package):
    with serve(package) as port:
        yield port


@pytest.fixture(scope="session")
def connect(source):
    """A connection to a port: it answers some texts in one request, from the scores alone."""
    thresholds = np.array([source.thresholds[label] for label in source.labels])

    def opened(port, seconds=60):
        connection = http.client.HTTPConnection(HOST, port, timeout=seconds)

        def ask(texts):
            body = json.dumps({"model": source.name, "input": texts})
            connection.request("POST", "/classify", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            told = json.loads(response.read())
            assert response.status == 200, told
            rows = [{score["label"]: score["score"] for score in scores} for scores in told["data"]]
            scores = np.array([[row[label] for label in source.labels] for row in rows])
            return Answer(scores.astype(np.float32), scores >= thresholds)

        return ask

    return opened


@pytest.fixture(scope="session")
def under_load(connect, served, texts, expected):
    """Put the server under a load, of one text a request."""
    opened = direct.singly(lambda: connect(served))
    return lambda **how: load.run(opened, texts, expected, **how)
