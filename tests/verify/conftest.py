"""A tiny finished build with a data set of its own, and the command line on it."""

from __future__ import annotations

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
def verify(build, in_process):
    """Run `python -m verify NAME RECIPE BUILD …` in this process; return its exit code and its output."""

    def run(name, *options):
        return in_process(command.main, name, build.recipe_folder, build.folder, *options)

    return run
