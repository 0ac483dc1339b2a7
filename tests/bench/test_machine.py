"""What others used of the machine, from clocks written by hand."""

from __future__ import annotations

import os
import time

import pytest

from bench.measure.machine import Clock, busy_elsewhere, clock, describe


def test_what_others_used_is_what_is_left_of_the_busy_time():
    start, end = Clock(100.0, 50.0, 7.0), Clock(110.0, 68.0, 22.0)
    # 18 s of work in 10 s, 15 s of them our own.
    assert busy_elsewhere(start, end) == pytest.approx(0.3)
    assert busy_elsewhere(start, Clock(110.0, 60.0, 22.0)) == 0
    assert busy_elsewhere(Clock(1.0, None, 0.0), Clock(2.0, None, 0.0)) is None


def test_idling_and_waiting_for_a_disk_are_not_busy(tmp_path):
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 20 300 99999 88888 4 5 6 7 8\ncpu0 1 1 1 1\n")
    assert clock(stat).busy == (100 + 20 + 300 + 4 + 5 + 6) / os.sysconf("SC_CLK_TCK")
    assert clock(tmp_path / "none").busy is None


def test_ones_own_work_is_counted():
    before = time.process_time()
    start = clock()
    while time.process_time() < before + 0.05:
        pass
    assert clock().own - start.own >= 0.03


def test_the_description_names_no_machine():
    found = describe()
    assert found["logical_cpus"] == os.cpu_count()
    assert os.uname().nodename not in found.values()
