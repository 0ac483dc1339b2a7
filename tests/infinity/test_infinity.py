"""infinity's own server on the package: it answers as the artifact does, texts beyond the limit too."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from bench.servers import load
from tests.support import consumers, direct
from tests.support.server_process import answers
from tests.support.snippets import run_python

pytestmark = pytest.mark.consumers
LONG = "so very sad " * 400


def test_its_pages_program_prints_the_decisions(page, package, served):
    program = page("python").replace("127.0.0.1:7997", f"127.0.0.1:{served}")
    assert run_python(program, package) == ["['love']", "['curiosity', 'neutral']"]


@pytest.mark.parametrize("batch", [1, 32])
def test_its_decisions_are_the_artifacts(served, connect, texts, expected, batch):
    ask = connect(served)
    parts = [ask(texts[start : start + batch]) for start in range(0, len(texts), batch)]
    found = load.Answer(*map(np.concatenate, zip(*parts, strict=True)))
    wanted = load.Answer(*map(np.stack, zip(*expected, strict=True)))
    consumers.check(f"infinity, {batch} texts a request", found.probabilities, found.decisions, wanted)


def test_texts_beyond_the_limit_are_cut(artifact, served, connect, source):
    tokenizer = direct.tokenizer(artifact)
    tokenizer.no_truncation()
    assert len(tokenizer.encode(LONG).ids) > source.max_length
    (wanted,) = direct.answers(artifact, "onnx/model_quantized.onnx", [LONG])
    found = connect(served)([LONG])
    np.testing.assert_allclose(found.probabilities[0], wanted.probabilities, atol=1e-6)
    assert found.decisions[0].tolist() == wanted.decisions.tolist()


def test_no_answer_differs_at_once(under_load, texts):
    found = under_load(callers=32, requests=len(texts))
    print(load.HEADER, found.row(), sep="\n")
    assert (found.answered, found.failed, found.different) == (len(texts), 0, 0), found.first_failure


@pytest.mark.load
def test_no_answer_differs_under_load(under_load):
    print("infinity, int8", load.HEADER, sep="\n")
    for callers, requests in ((1, 300), (8, 1_000), (32, 10_000)):
        found = under_load(callers=callers, requests=requests, max_seconds=1800)
        print(found.row(), flush=True)
        assert (found.answered, found.failed, found.different) == (requests, 0, 0), found.first_failure
        assert found.largest_change <= 1e-6


@pytest.fixture
def uncut(package, source, tmp_path):
    """The package with the artifact's own graph."""
    folder = tmp_path / "package"
    shutil.copytree(package, folder)
    shutil.copyfile(source.file, folder / "model.onnx")
    return folder


def test_without_the_cut_it_does_not_start(serve, uncut):
    # Its warm-up asks for a text over the limit.
    with pytest.raises(AssertionError, match="before it was ready"), serve(uncut):
        pytest.fail("it was ready")


def test_without_cut_and_warm_up_a_long_text_ends_its_answers(serve, connect, uncut):
    with (  # noqa: PT012
        pytest.raises(AssertionError, match="does not stop"),
        serve(uncut, "--no-model-warmup", stop_seconds=10) as port,
    ):
        assert connect(port)(["I love this!"]).decisions.any()
        for text in (LONG, "I love this!"):
            with pytest.raises(TimeoutError):
                connect(port, seconds=10)([text])
        assert answers(f"http://127.0.0.1:{port}/health")()
