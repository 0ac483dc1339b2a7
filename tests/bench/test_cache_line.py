"""The round trip between two CPUs: measured for real, and what is said where it cannot be."""

from __future__ import annotations

import os
import time

import pytest

from bench.measure import cache_line
from core.errors import BenchmarkError

two_cpus = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="there are not two CPUs to measure between",
)


@two_cpus
def test_a_round_trip_is_measured_between_two_cpus_and_leaves_the_process_as_it_was():
    before = os.sched_getaffinity(0)
    with cache_line.opened() as trip:
        trip()  # waits until the other process has started
        start = time.perf_counter()
        found = trip()
        took_ns = (time.perf_counter() - start) * 1e9
    # A trip is at least this process's own part of it, and all that are counted fit into the call.
    counted = range(cache_line._TRIPS - cache_line._WARM_UP)
    cells = memoryview(bytearray(256)).cast("q")
    start = time.perf_counter()
    for _ in counted:
        cells[0] = 1
        while cells[cache_line._ANSWER]:
            pass
    own_ns = (time.perf_counter() - start) * 1e9
    assert own_ns / len(counted) < found < took_ns / len(counted)
    assert os.sched_getaffinity(0) == before


@two_cpus
def test_another_side_that_is_gone_is_an_error(monkeypatch):
    monkeypatch.setattr(cache_line, "_MOST_SPINS", 1000)
    monkeypatch.setattr("sys.executable", "/bin/true")
    before = os.sched_getaffinity(0)
    with cache_line.opened() as trip, pytest.raises(BenchmarkError, match="did not answer"):
        trip()
    assert os.sched_getaffinity(0) == before


def test_one_cpu_has_no_round_trip(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3}, raising=False)
    with cache_line.opened() as trip:
        assert trip is None
