"""What is rare on a real connection: a body that never ends, a fault of the server's own."""

from __future__ import annotations

import asyncio
import json

import pytest

from deliver.server import app as served
from deliver.server.app import application
from deliver.server.metrics import Metrics

pytestmark = pytest.mark.serve


class Classifier:
    """Fails in a way that nobody foresaw."""

    name, labels = "n", ["joy"]

    async def answer(self, texts):
        raise ZeroDivisionError


def call(*parts, raises=None):
    """Post the parts of a body, the last of which is followed by nothing; return status and JSON."""
    sent, waiting = [], [*parts]

    async def receive():
        if not waiting:
            await asyncio.sleep(60)
        return {
            "type": "http.request",
            "body": waiting.pop(0),
            "more_body": parts[-1] == b"" or bool(waiting),
        }

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/classify", "headers": [], "query_string": b""}
    metrics = Metrics()
    made = application(Classifier(), metrics, lambda error: None)
    if raises:
        with pytest.raises(raises):
            asyncio.run(made(scope, receive, send))
    else:
        asyncio.run(made(scope, receive, send))
    status = sent[0]["status"]
    assert f'path="/classify",status="{status}"' in metrics.text().decode()
    return status, json.loads(sent[1]["body"])


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(served, "BODY_SECONDS", 0.05)
    assert call(b'{"texts"', b"") == (408, {"error": "body: not here after 0.05 s"})


def test_a_fault_of_the_servers_own_is_json_and_is_raised_for_the_log():
    status, told = call(b'{"texts": ["a"]}', raises=ZeroDivisionError)
    assert (status, told) == (500, {"error": "the server failed; its log says why"})
