"""Environments are what their lock file lists, or are not there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from core.build import installed
from requirements import install
from tests.support.places import ROOT


@pytest.fixture
def lock_file(tmp_path):
    path = tmp_path / "lock.txt"
    path.write_text("")
    return path


def test_an_interrupted_environment_is_begun_again_from_nothing(tmp_path, lock_file, capsys):
    folder = tmp_path / "env"
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "half").write_text("installed")
    # Without this file, Python's own mark, it is no environment, and left as it is.
    assert install.main([str(folder), str(lock_file)]) == 1
    assert (folder / "lib" / "half").is_file()
    assert "lib/half, expected an environment" in capsys.readouterr().err
    (folder / "pyvenv.cfg").touch()
    assert install.make(folder, lock_file) == 0
    assert (folder / "installed").is_file()
    assert not (folder / "lib" / "half").exists()
    assert subprocess.run([folder / "bin" / "python", "-m", "pip", "--version"], check=True).returncode == 0
    # A finished one that is up to date is left alone.
    before = (folder / "installed").stat().st_mtime_ns
    assert install.make(folder, lock_file) == 0
    # By content, whatever the times say.
    os.utime(lock_file, (4e9, 4e9))
    assert install.make(folder, lock_file) == 0
    assert (folder / "installed").stat().st_mtime_ns == before
    lock_file.write_text("# another")
    os.utime(lock_file, (1, 1))
    assert not installed.is_current(folder / "installed", lock_file)
    assert install.make(folder, lock_file) == 0
    assert installed.is_current(folder / "installed", lock_file)


def test_what_is_not_pinned_by_hash_is_refused_and_leaves_no_stamp(tmp_path, lock_file, capfd):
    lock_file.write_text("six==1.17.0\n")
    assert install.make(tmp_path / "env", lock_file) != 0
    assert "--require-hashes" in capfd.readouterr().err
    assert not (tmp_path / "env" / "installed").exists()


def test_two_at_once_make_it_once(tmp_path, lock_file):
    command = [sys.executable, "-m", "requirements.install", tmp_path / "env", lock_file]
    processes = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    made = (tmp_path / "env" / "pyvenv.cfg").stat().st_mtime_ns
    assert made <= (tmp_path / "env" / "installed").stat().st_mtime_ns


def test_an_environment_that_cannot_be_made_is_one_line(tmp_path, lock_file, capsys):
    (tmp_path / "file").write_text("in the way")
    assert install.main([str(tmp_path / "file" / "env"), str(lock_file)]) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/file/env: cannot be made: ")


def test_an_environment_with_torch_takes_its_cpu_build_or_else_cudas():
    folder = ROOT / "requirements"
    build, ray = folder / "build.txt", folder / "ray.txt"
    assert install.attempts(build) == [[build, folder / "torch-cpu.txt"], [build, folder / "torch-cuda.txt"]]
    assert install.attempts(ray) == [[ray]]
