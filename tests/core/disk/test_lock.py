"""The lock of a build folder: one command at a time, whatever ends the one before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from core.disk import lock
from core.errors import ArtifactError
from tests.support.places import ROOT

# Holds a build folder's lock while it runs a shell command.
HOLDER = "import subprocess, sys; from pathlib import Path; from core.disk import lock\n"
HOLDER += "with lock.build(Path(sys.argv[1])): subprocess.run(sys.argv[2], shell=True, check=False)"


def locked(folder, command, **more):
    line = [sys.executable, "-c", HOLDER, folder, command]
    return subprocess.Popen(line, cwd=ROOT, stderr=subprocess.PIPE, text=True, **more)


def wait_for(path):
    for _ in range(1000):
        if path.exists():
            return
        time.sleep(0.01)
    pytest.fail(f"{path} did not appear")


def test_a_second_build_says_that_it_waits_and_runs_after_the_first(tmp_path):
    folder, told = tmp_path / "build", tmp_path / "told"
    wait = f"while [ ! -f {told} ]; do sleep 0.01; done"
    first = locked(folder, f"echo a >> {tmp_path}/out; {wait}; echo b >> {tmp_path}/out")
    wait_for(tmp_path / "out")
    second = locked(folder, f"echo c >> {tmp_path}/out")
    assert second.stderr.readline() == f"{folder}: another build is at work there; waiting for it\n"
    told.touch()
    assert second.communicate()[1] == ""
    assert (first.wait(), second.wait()) == (0, 0)
    assert (tmp_path / "out").read_text() == "a\nb\nc\n"


def test_a_kill_frees_it_and_the_next_removes_what_was_left(tmp_path):
    folder = tmp_path / "build"
    left = folder / "assets" / ".vocab.txt.abc.tmp"
    first = locked(folder, f"mkdir {left.parent}; touch {left}; sleep 60", start_new_session=True)
    wait_for(left)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    second = locked(folder, "true")
    assert second.communicate()[1] == f"{folder}: removed 1 unfinished files of an interrupted build\n"
    assert not left.exists()


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(ArtifactError, match="file: Not a directory; expected a new folder"),
        lock.build(tmp_path / "file"),
    ):
        pass
