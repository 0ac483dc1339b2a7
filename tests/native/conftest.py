"""The programs that `make test-native` built."""

from __future__ import annotations

import subprocess

import pytest

from tests.support import commands
from tests.support.consumers import texts  # noqa: F401
from tests.support.places import ROOT

NATIVE = ROOT / "build" / "native"
SECONDS = 300


@pytest.fixture(scope="session")
def run():
    """Run a program of `build/native` on bytes; return its result, whatever its exit status."""

    def call(name: str, *arguments: object, given: bytes = b"") -> subprocess.CompletedProcess:
        program = NATIVE / name
        assert program.is_file(), f"{program}: not built; run the tests with `make test-native`"
        return commands.call(program, *arguments, input=given, text=False, timeout=SECONDS)

    return call
