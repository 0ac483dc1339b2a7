"""What others used of the machine, from clocks written by hand."""

from __future__ import annotations

import os
import platform
import time
from types import SimpleNamespace

import psutil
import pytest

from bench.measure.machine import Clock, busy_elsewhere, clock, describe
from core import cpu


def test_what_others_used_is_what_is_left_of_the_busy_time(monkeypatch):
    start, end = Clock(100.0, 50.0, 7.0), Clock(110.0, 68.0, 22.0)
    # 18 s of work in 10 s, 15 s of them our own.
    assert busy_elsewhere(start, end) == pytest.approx(0.3)
    assert busy_elsewhere(start, Clock(110.0, 60.0, 22.0)) == 0
    monkeypatch.setattr(psutil, "WINDOWS", True)
    assert busy_elsewhere(start, end) is None


def test_idling_and_waiting_for_a_disk_are_not_busy(monkeypatch):
    # A guest's time is in the user's already; macOS has four of these alone.
    linux = {"user": 100, "nice": 20, "system": 300, "idle": 99999, "iowait": 88888, "irq": 4, "softirq": 5}
    for times, busy in (
        ({**linux, "steal": 6, "guest": 7, "guest_nice": 8}, 100 + 20 + 300 + 4 + 5 + 6),
        ({"user": 100, "nice": 20, "system": 300, "idle": 99999}, 420),
    ):
        monkeypatch.setattr(psutil, "cpu_times", lambda times=times: SimpleNamespace(**times))
        assert clock().busy == busy


def test_the_clock_of_all_cpus_is_the_kernels():
    first = clock()
    until = time.process_time() + 0.2
    while time.process_time() < until:
        pass
    # It counts in hundredths of a second.
    assert clock().busy - first.busy >= 0.1


def test_ones_own_work_is_counted():
    before = time.process_time()
    start = clock()
    while time.process_time() < before + 0.05:
        pass
    assert clock().own - start.own >= 0.03


def test_the_description_names_no_machine():
    described = describe()
    assert described["logical_cpus"] == os.cpu_count()
    assert os.uname().nodename not in described.values()


def test_a_processor_is_named_where_the_system_says_which(monkeypatch, tmp_path):
    file = tmp_path / "cpuinfo"
    core = "processor\t: {}\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx512_vnni amx_int8\n\n"
    file.write_text(core.format(0) + core.format(1))
    monkeypatch.setattr(cpu, "_LINUX_FILE", file)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    assert describe()["cpu"] == "AMD EPYC"
    assert describe()["int8_instructions"] == ["amx_int8", "avx512_vnni"]
    monkeypatch.setattr(cpu, "_LINUX_FILE", tmp_path / "none")
    assert describe()["int8_instructions"] == []
    assert describe()["cpu"]
