"""Triton's own server: it reads the packages, and answers as the artifact does, whoever else asks."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest

from bench.servers import load
from deliver import triton
from deliver.source import open_source
from tests.support import consumers
from tests.support.snippets import run_python, snippet
from tests.support.triton import refused

pytestmark = pytest.mark.consumers
NO_BACKEND = "unable to find backend library for backend 'onnxruntime'"


@pytest.mark.parametrize("name", ["fp32", "int8", "guarded", "text"])
def test_it_reads_the_package_and_misses_the_backend_alone(artifact, tmp_path, name):
    (tmp_path / "package").mkdir()
    source = open_source(artifact, name, text=True)
    triton.fill(source, tmp_path / "package")
    found = [line for line in refused(tmp_path / "package", tmp_path).splitlines() if "failed to" in line]
    assert len(found) == 3
    assert NO_BACKEND in found[0]
    # It has read all of the file: a type that it does not know, in the last output, is another complaint.
    config = tmp_path / "package" / source.name / "config.pbtxt"
    config.write_text(config.read_text("utf-8").replace("TYPE_BOOL", "TYPE_BOOLE"), "utf-8")
    told = refused(tmp_path / "package", tmp_path)
    assert "TYPE_BOOLE" in told
    assert NO_BACKEND not in told


@pytest.mark.parametrize("fill", [triton.fill_python, triton.fill])
def test_its_pages_program_prints_the_decisions(package, served, tmp_path, monkeypatch, fill):
    _, source = package
    fill(source, tmp_path)
    page = str(tmp_path / "README.md")
    program = snippet(f"# {source.name} for Triton Inference Server", "python", page)
    # Proxies of the machine are not for the loopback.
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    (line,) = run_python(program.replace("127.0.0.1:8001", served), tmp_path)
    assert line == "[['love'], ['curiosity', 'neutral']]"


@pytest.mark.parametrize("batch", [1, 8])
def test_its_decisions_are_the_artifacts(package, served, infer, texts, expected, batch):
    ask = infer(served)
    parts = [ask(texts[start : start + batch]) for start in range(0, len(texts), batch)]
    found = load.Answer(*map(np.concatenate, zip(*parts, strict=True)))
    wanted = load.Answer(*map(np.stack, zip(*expected, strict=True)))
    name = f"Triton, {package[1].variant}, {batch} texts a request"
    consumers.check(name, found.probabilities, found.decisions, wanted)


def test_callers_at_once_are_joined_and_do_not_change_an_answer(package, served, texts, under_load):
    before = joined(served, package[1].name)
    found = under_load(callers=32, requests=len(texts))
    runs, asked = (
        after - count for after, count in zip(joined(served, package[1].name), before, strict=True)
    )
    print(found.row(), f"{asked / runs:.1f} texts a run")
    assert (found.answered, found.failed, found.different) == (len(texts), 0, 0)
    assert found.largest_change <= 1e-6
    assert asked == len(texts)
    assert runs < asked


def test_a_request_that_fails_fails_alone(package, served, under_load):
    _, source = package
    bad, stop = [], threading.Event()

    def ask_for_what_fails():
        from tritonclient import grpc

        client = grpc.InferenceServerClient(served)
        if source.takes_text:
            # Not UTF-8.
            array, kind, names = np.array([[b"\xff\xfe"]], object), "BYTES", ["text"]
        else:
            # More tokens than the encoder has positions.
            array, kind, names = (
                np.ones((1, source.max_length + 1), np.int64),
                "INT64",
                ["input_ids", "attention_mask"],
            )
        inputs = [grpc.InferInput(name, array.shape, kind).set_data_from_numpy(array) for name in names]
        while not stop.is_set():
            try:
                client.infer(source.name, inputs)
                bad.append("answered")
            except grpc.InferenceServerException as error:
                bad.append(str(error))

    thread = threading.Thread(target=ask_for_what_fails)
    thread.start()
    try:
        found = under_load(callers=8, requests=100)
    finally:
        stop.set()
        thread.join()
    assert (found.answered, found.failed, found.different) == (100, 0, 0)
    assert bad
    assert "answered" not in bad
    said = "utf-8" if source.takes_text else "onnxruntime"
    assert all(said in error.lower() for error in bad), bad[0]


def joined(address, name):
    """How often the model has run, and for how many texts."""
    from tritonclient import grpc

    stats = grpc.InferenceServerClient(address).get_inference_statistics(name).model_stats[0]
    return stats.execution_count, stats.inference_count
