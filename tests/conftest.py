"""The order of the tests; fixtures: finished builds, where the data set is, and commands in this process."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

# Under make the tests are what they are without: a command that make runs leaves an interruption to it.
os.environ.pop("MAKELEVEL", None)
# Nor do they ignore what interrupts them, which a shell's background job and all that it starts do.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import core.telemetry  # noqa: F401  before onnxruntime
from tests.support.places import ROOT


def pytest_collection_modifyitems(items):
    """Begin with what takes minutes, so that no process waits for the last one."""

    def minutes(item):
        slow = item.get_closest_marker("slow")
        return slow.kwargs.get("minutes", 0) if slow else 0

    items.sort(key=minutes, reverse=True)


@pytest.fixture(scope="session")
def artifact() -> Path:
    """The embedded default's artifact; `make test` builds it before pytest starts."""
    folder = ROOT / os.environ.get("ARTIFACT", "dist/minilm-l6-go-emotions")
    if not (folder / "manifest.json").is_file():
        pytest.fail(f"{folder}: no artifact; run `make artifact`, or the tests with `make test`")
    return folder


@pytest.fixture(scope="session")
def tiny_build(tmp_path_factory):
    """The tiny recipe's finished build, once for all tests and processes; one that changes it copies it."""
    # Other environments read this file as well, and have nothing to build with.
    from tests.support.building import build_tiny

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "tiny_build"
    folder.mkdir(exist_ok=True)
    return build_tiny(folder)


@pytest.fixture
def in_process(capsys):
    """Run a `main` in this process on a command line; return its exit status and its output."""

    def call(main, *arguments):
        capsys.readouterr()
        return main([*map(str, arguments)]), capsys.readouterr()

    return call


@pytest.fixture(scope="session")
def go_emotions() -> Path:
    """The data set's folder, or the test is skipped and says so."""
    folder = os.environ.get("GO_EMOTIONS_DIR")
    if not folder:
        pytest.skip("GO_EMOTIONS_DIR is not set: no GoEmotions data here")
    return Path(folder)
