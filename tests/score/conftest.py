"""A tiny artifact with a length limit, and the command line on it."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import helper

from score import __main__ as command
from tests.support import artifacts

MAX_LENGTH = 64


def set_metadata(path: Path, **values: str) -> None:
    model = onnx.load(path)
    props = {prop.key: prop.value for prop in model.metadata_props} | values
    helper.set_model_props(model, props)
    onnx.save(model, path)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """An artifact of a few kilobytes; its fp32 and int8 differ by a bias."""
    folder = artifacts.artifact(tmp_path_factory.mktemp("tiny"), {"fp32": 0.0, "int8": 0.25})
    for file in (folder / "onnx").iterdir():
        set_metadata(file, max_length=str(MAX_LENGTH))
    return folder


@pytest.fixture
def score(tiny, in_process):
    """Run `python -m score TINY …` in this process; return its exit code and its output."""

    def run(*arguments, artifact=tiny):
        return in_process(command.main, artifact, *arguments)

    return run
