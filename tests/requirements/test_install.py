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


def made(folder, lock_file):
    return install.main([str(folder), str(lock_file)]) == 0


def test_an_interrupted_environment_is_begun_again_from_nothing(tmp_path, lock_file, capsys):
    folder = tmp_path / "env"
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "half").write_text("installed")
    # Without this file, Python's own mark, it is no environment, and left as it is.
    assert not made(folder, lock_file)
    assert (folder / "lib" / "half").is_file()
    assert "lib/half, expected an environment" in capsys.readouterr().err
    (folder / "pyvenv.cfg").touch()
    assert made(folder, lock_file)
    assert (folder / "installed").is_file()
    assert not (folder / "lib" / "half").exists()
    assert subprocess.run([folder / "bin" / "python", "-m", "pip", "--version"], check=True).returncode == 0
    # A finished one that is up to date is left alone.
    before = (folder / "installed").stat().st_mtime_ns
    assert made(folder, lock_file)
    # By content, whatever the times say.
    os.utime(lock_file, (4e9, 4e9))
    assert made(folder, lock_file)
    assert (folder / "installed").stat().st_mtime_ns == before
    lock_file.write_text("# another")
    os.utime(lock_file, (1, 1))
    assert not installed.is_current(folder / "installed", lock_file)
    assert made(folder, lock_file)
    assert installed.is_current(folder / "installed", lock_file)


def test_what_is_not_pinned_by_hash_is_refused_and_leaves_no_stamp(tmp_path, lock_file, capfd):
    lock_file.write_text("six==1.17.0\n")
    assert not made(tmp_path / "env", lock_file)
    told = capfd.readouterr().err
    assert "--require-hashes" in told
    assert told.endswith(f"error: {tmp_path}/env: pip failed with status 1, and said why\n")
    assert not (tmp_path / "env" / "installed").exists()


def test_two_at_once_make_it_once(tmp_path, lock_file):
    command = [sys.executable, "-m", "requirements.install", tmp_path / "env", lock_file]
    processes = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    made = (tmp_path / "env" / "pyvenv.cfg").stat().st_mtime_ns
    assert made <= (tmp_path / "env" / "installed").stat().st_mtime_ns


def test_an_environment_that_cannot_be_made_is_one_line(tmp_path, lock_file, capsys):
    (tmp_path / "file").write_text("in the way")
    assert not made(tmp_path / "file" / "env", lock_file)
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert f"{tmp_path}/file" in told
    assert len(told.splitlines()) == 1


def test_without_ensurepip_it_says_what_has_it(tmp_path, lock_file, capsys, monkeypatch):
    def create(folder, **_):
        raise subprocess.CalledProcessError(1, ["python", "-m", "ensurepip"])

    monkeypatch.setattr(install.venv, "create", create)
    assert not made(tmp_path / "env", lock_file)
    assert "has no ensurepip, which Debian and Ubuntu have in python3-venv" in capsys.readouterr().err


def test_another_build_of_torch_than_was_asked_for_is_not_current(tmp_path):
    lock_file, stamp = ROOT / "requirements" / "build.txt", tmp_path / "installed"
    content = installed.content(lock_file)
    for written, current in (("", {""}), (" cpu", {"", "cpu"}), (" cuda", {"", "cuda"})):
        stamp.write_text(content + written)
        found = {asked for asked in ("", "cpu", "cuda") if installed.is_current(stamp, lock_file, asked)}
        assert found == current
    # Without torch there is nothing to choose.
    lock_file = ROOT / "requirements" / "lock.txt"
    stamp.write_text(installed.content(lock_file))
    assert installed.is_current(stamp, lock_file, "cuda")
