"""The 64-bit ARM userland: what an emulated core reads of its machine, what is said where it cannot be."""

from __future__ import annotations

import pytest

from tests.cpus import aarch64
from tests.support.commands import assert_failed
from tests.support.places import ROOT

LOCK = ROOT / "requirements" / "build.txt"


@pytest.fixture
def unpacked(monkeypatch):
    """Debian's packages and the wheels as empty folders."""

    def debian(root, scratch):
        (root / "usr").mkdir(parents=True)
        scratch.mkdir()

    monkeypatch.setattr(aarch64, "_unpack_debian", debian)
    monkeypatch.setattr(aarch64, "_install_wheels", lambda *_: None)


def test_each_core_reads_one_processor_of_its_own_part(unpacked, tmp_path):
    aarch64.make(tmp_path / "arm", LOCK)
    parts = set()
    for core in aarch64.CORES:
        prefix = tmp_path / "arm" / "cores" / core
        assert aarch64.command(tmp_path / "arm", core)[1:4] == [core, "-L", str(prefix)]
        assert (prefix / "usr").samefile(tmp_path / "arm" / "root" / "usr")
        assert (prefix / "sys/devices/system/cpu/present").read_text() == "0\n"
        fields = dict(
            line.split("\t: ") for line in (prefix / "proc/cpuinfo").read_text().splitlines() if "\t" in line
        )
        assert fields["processor"] == "0"
        parts.add(fields["CPU part"])
    assert len(parts) == len(aarch64.CORES)


def test_it_is_made_once_for_a_lock_file(unpacked, tmp_path):
    lock = tmp_path / "lock.txt"
    lock.write_text("numpy==2.4.6\n")
    aarch64.make(tmp_path / "arm", lock)
    kept = tmp_path / "arm" / "kept"
    kept.touch()
    aarch64.make(tmp_path / "arm", lock)
    assert kept.exists()
    lock.write_text("numpy==2.4.7\n")
    aarch64.make(tmp_path / "arm", lock)
    assert not kept.exists()


def test_a_machine_without_apt_is_told_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    status = aarch64.main([str(tmp_path / "arm"), str(LOCK)])
    assert_failed((status, capsys.readouterr()), "arm", "no apt-get", "Debian's packages")


def test_wheels_that_are_not_pinned_are_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(aarch64, "_unpack_debian", lambda root, scratch: scratch.mkdir(parents=True))
    status = aarch64.main([str(tmp_path / "arm"), str(ROOT / "requirements" / "audit.txt")])
    assert_failed(
        (status, capsys.readouterr()), "audit.txt", "found 0 of numpy, onnxruntime", "expected both"
    )
