"""The server's answers are the artifact's, whoever else asks at the same time."""

from __future__ import annotations

import json
import re

import numpy as np
import onnxruntime
import pytest

from bench.servers import load
from core.contract import VARIANT_FILES
from deliver.server import request as limits
from tests.serve.conftest import started
from tests.support import direct
from tests.support.places import ROOT
from tests.support.snippets import run_python, snippet

pytestmark = pytest.mark.serve
# What else is in the batch may round a float32 probability otherwise, and an int8 one not at all.
CHANGE = {"fp32": 1e-6, "guarded": 1e-6, "int8": 0.0}
REQUESTS = 10_000


def labels(artifact):
    """Read the labels, in the order of the columns, by no code of ours."""
    session = onnxruntime.InferenceSession(artifact / VARIANT_FILES["int8"])
    return json.loads(session.get_modelmeta().custom_metadata_map["labels"])


def compare(found, expected):
    different = sum(
        not np.array_equal(a.decisions, b.decisions) for a, b in zip(found, expected, strict=True)
    )
    pairs = zip(found, expected, strict=True)
    return different, max(float(np.abs(a.probabilities - b.probabilities).max()) for a, b in pairs)


@pytest.mark.parametrize("variant", VARIANT_FILES)
def test_decisions_are_those_of_the_artifact(artifact, texts, tmp_path, variant):
    wanted = direct.answers(artifact, VARIANT_FILES[variant], texts)
    with started(artifact, tmp_path / "log", "--variant", variant) as server:
        one = [answer for text in texts for answer in server.classify(text)]
        together = []
        for start in range(0, len(texts), limits.TEXTS):
            together += server.classify(*texts[start : start + limits.TEXTS])
    for name, found in (("one a request", one), ("many a request", together)):
        different, change = compare(found, wanted)
        print(f"{variant}, {len(texts)} texts, {name}: decided otherwise {different}, max |dp| {change:.1e}")
        assert different == 0
        assert change <= CHANGE[variant]


def test_labels_probabilities_and_decisions_go_together(server, artifact):
    reply = server.send("POST", "/classify", json.dumps({"texts": ["I love this!", "word " * 600]}).encode())
    short, long = reply.content["answers"]
    assert list(short["probabilities"]) == labels(artifact)
    assert short["labels"] == ["love"]
    assert (short["truncated"], long["truncated"]) == (False, True)
    described = server.send("GET", "/").content
    assert described["variant"] == "int8"
    assert described["thresholds"] == json.loads((artifact / "thresholds.json").read_text("utf-8"))
    for answer in (short, long):
        reached = {
            label
            for label, value in answer["probabilities"].items()
            if np.float32(value) >= np.float32(described["thresholds"][label])
        }
        assert set(answer["labels"]) == reached


def test_the_documents_program_runs(server):
    program = snippet("# Labels over HTTP", "python", "docs/serving.md")
    lines = run_python(program.replace("127.0.0.1:8080", f"127.0.0.1:{server.port}"), ROOT)
    assert lines[0].startswith("['love'] 0.99")
    assert len(lines) == 2


def test_an_answer_is_the_same_bits_from_any_batch(server, texts, expected):
    print(f"\n{load.HEADER}")
    for callers, requests in ((1, 200), (8, 600), (32, 1_200)):
        print(load.run(server.connect, texts, expected, callers, requests, 120).row(), flush=True)
    found = load.run(server.connect, texts, expected, 32, REQUESTS, 1_200)
    print(found.row(), found.first_failure)
    assert (found.answered, found.failed, found.different, found.largest_change) == (REQUESTS, 0, 0, 0.0)
    # Answers of batches of one would say nothing.
    figures = server.send("GET", "/metrics").content
    count, total = (figure(figures, f"classifier_batch_texts_{name}") for name in ("count", "sum"))
    print(f"{total / count:.1f} texts a batch")
    assert total >= 2 * count


def figure(text, name):
    return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)[1])


def test_the_open_inference_protocol_gives_the_same_answers(server, artifact, texts, expected):
    name = "minilm-l6-go-emotions"
    for path in ("/v2", "/v2/health/live", "/v2/health/ready", f"/v2/models/{name}/ready"):
        assert server.send("GET", path).status == 200
    described = server.send("GET", f"/v2/models/{name}").content
    columns = len(labels(artifact))
    assert described["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    assert [tuple(output.values()) for output in described["outputs"]] == [
        ("probabilities", "FP32", [-1, columns]),
        ("predictions", "BOOL", [-1, columns]),
    ]
    given = {"name": "text", "datatype": "BYTES", "shape": [50, 1], "data": texts[:50]}
    body = json.dumps({"id": "a", "inputs": [given]}).encode()
    for path in (f"/v2/models/{name}/infer", f"/v2/models/{name}/versions/1/infer"):
        reply = server.send("POST", path, body)
        assert (reply.status, reply.content["id"], reply.content["model_name"]) == (200, "a", name)
        found = {
            output["name"]: np.reshape(output["data"], output["shape"]) for output in reply.content["outputs"]
        }
        rows = zip(found["probabilities"].astype(np.float32), found["predictions"], strict=True)
        assert compare([load.Answer(*row) for row in rows], expected[:50]) == (0, 0.0)
    assert server.send("POST", "/v2/models/another/infer", body).status == 404
    binary = server.send("POST", path, body, **{"Inference-Header-Content-Length": "9"})
    assert (binary.status, binary.content["error"][:26]) == (400, "body: found binary tensors")
    assert server.send("POST", path, b'{"inputs": []}').content["error"].startswith("inputs: found []")


def test_metrics_count_what_was_done(artifact, tmp_path):
    with started(artifact, tmp_path / "log") as server:
        server.classify("one", "two", "word " * 600)
        server.classify("three")
        server.send("POST", "/classify", b"[]")
        server.send("GET", "/nowhere")
        reply = server.send("GET", "/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=")
    for name, value in {
        'classifier_requests_total{path="/classify",status="200"}': 2,
        'classifier_requests_total{path="/classify",status="400"}': 1,
        'classifier_requests_total{path="other",status="404"}': 1,
        'classifier_request_seconds_count{path="/classify"}': 3,
        "classifier_texts_total": 4,
        "classifier_truncated_texts_total": 1,
        "classifier_batch_texts_sum": 4,
        "classifier_waiting_texts": 0,
    }.items():
        assert figure(reply.content, name) == value, name
