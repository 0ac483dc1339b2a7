"""A tiny finished build with a data set of its own, and the command line on it."""

from __future__ import annotations

import pytest

from tests.support import builds
from verify import __main__ as command


@pytest.fixture
def data(tmp_path):
    """Texts and labels by split, as they were written."""
    return builds.write_data(tmp_path / "data")


@pytest.fixture
def build(tmp_path, data):
    return builds.write_build(tmp_path, data=builds.DATA)


@pytest.fixture
def verify(build, in_process):
    """Run `python -m verify NAME RECIPE BUILD …` in this process; return its exit code and its output."""

    def run(name, *options):
        return in_process(command.main, name, build.recipe_folder, build.folder, *options)

    return run
