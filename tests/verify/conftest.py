"""A tiny finished build with a data set of its own, and the command line on it."""

from __future__ import annotations

import sys

import pytest

from core import dataset
from tests.support import builds
from verify import __main__ as command


@pytest.fixture
def build(tmp_path, monkeypatch):
    hashes = builds.write_go_emotions(tmp_path / "data")
    monkeypatch.setattr(dataset, "GO_EMOTIONS_SHA256", hashes)
    monkeypatch.setenv(dataset.GO_EMOTIONS_DIR, str(tmp_path / "data"))
    return builds.write_build(tmp_path)


@pytest.fixture
def verify(build, monkeypatch, capsys):
    """Run `python -m verify NAME RECIPE BUILD …` in this process; return its exit code and its output."""

    def run(name, *options):
        line = ["verify", name, str(build.recipe_folder), str(build.folder), *map(str, options)]
        monkeypatch.setattr(sys, "argv", line)
        capsys.readouterr()
        return command.main(), capsys.readouterr()

    return run


def failed(run, *words):
    """The command said one error with all of these words, and returned 1."""
    code, said = run
    assert code == 1
    assert said.err.count("error: ") == 1
    for word in words:
        assert word in said.err
