"""A tiny artifact with a length limit, and the command line on it."""

from __future__ import annotations

import pytest

from score import __main__ as command
from tests.support import artifacts


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """An artifact of a few kilobytes; its fp32 and int8 differ by a bias."""
    return artifacts.artifact(tmp_path_factory.mktemp("tiny"), {"fp32": 0.0, "int8": 0.25})


@pytest.fixture
def score(tiny, in_process):
    """Run `python -m score TINY …` in this process; return its exit code and its output."""

    def run(*arguments, artifact=tiny):
        return in_process(command.main, artifact, *arguments)

    return run
