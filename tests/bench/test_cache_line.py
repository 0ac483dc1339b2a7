"""The round trip between two CPUs: its figure from given times, its other side, and where there is none."""

from __future__ import annotations

import multiprocessing
import time
from itertools import count

import psutil
import pytest

from bench.measure import cache_line
from core.errors import BenchmarkError

this = psutil.Process()
two_cpus = pytest.mark.skipif(
    not hasattr(this, "cpu_affinity") or len(this.cpu_affinity()) < 2,
    reason="there are not two CPUs to measure between",
)


def test_round_trips_are_named_by_all_of_them():
    near, far = [200.0, 430.0], [431.0, 600.0]
    kinds = [cache_line.cache_sharing(trips) for trips in (near, far, [200.0, 600.0])]
    assert kinds == ["shared_cache", "no_shared_cache", "mixed"]


@two_cpus
def test_a_round_trip_is_the_mean_of_those_after_the_warm_up(monkeypatch):
    before = this.cpu_affinity()
    # The clock moves on by 1 ms each time somebody looks: once when the warm-up ends, once at the end.
    ticks = count(5)
    monkeypatch.setattr(cache_line, "_TRIPS", 20)
    monkeypatch.setattr(cache_line, "_WARM_UP", 11)
    with cache_line.opened() as trip, monkeypatch.context() as patch:
        patch.setattr(time, "perf_counter", lambda: next(ticks) / 1000)
        # Ten are counted, the 11th to the 20th; a second measurement starts from nothing.
        assert [trip(), trip()] == pytest.approx([1e5, 1e5])
    assert this.cpu_affinity() == before
    assert not multiprocessing.active_children()


@two_cpus
def test_another_side_that_is_gone_is_an_error(monkeypatch):
    monkeypatch.setattr(cache_line, "_MOST_SPINS", 1000)
    before = this.cpu_affinity()
    with cache_line.opened() as trip:
        (other,) = multiprocessing.active_children()
        other.kill()
        other.join()
        with pytest.raises(BenchmarkError, match="did not answer"):
            trip()
    assert this.cpu_affinity() == before


@pytest.mark.parametrize("answer", [[3], None])
def test_one_cpu_or_none_to_choose_has_no_round_trip(monkeypatch, answer):
    class Process:
        if answer:
            cpu_affinity = staticmethod(lambda: answer)

    monkeypatch.setattr(psutil, "Process", Process)
    with cache_line.opened() as trip:
        assert trip is None
