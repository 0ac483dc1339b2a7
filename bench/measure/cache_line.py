"""Tell whether two CPUs share a cache, by a cache line's round trip between them.

A virtual machine's CPUs may be moved to cores that share no cache, and back. Every hand-over from one thread
to another then costs several times as much, so that rounds of both kinds are not to be compared.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import RawArray
from typing import Any, Literal

import psutil

from core.ends import not_interrupted
from core.errors import BenchmarkError

_TRIPS = 2000
_WARM_UP = 200
# Two cache lines on, as some CPUs fetch them in pairs.
_ANSWER = 16
_CELLS = 32
# Some seconds of waiting for the other, and no end without it.
_MOST_SPINS = 200_000_000
# Measured on an AMD EPYC: 160 to 320 ns with a shared cache, 530 to 710 without one. Some 150 ns of them are
# the interpreter's: the difference to the same trip in C.
NO_SHARED_CACHE_NS = 430.0
RoundTrip = Callable[[], float]
CacheSharing = Literal["shared_cache", "no_shared_cache", "mixed"]
# Of these alone rates say something.
STEADY: tuple[CacheSharing, ...] = ("shared_cache", "no_shared_cache")


def cache_sharing(round_trips_ns: Sequence[float]) -> CacheSharing:
    """Name what ran between some round trips (at least one) by whether the CPUs shared a cache."""
    if max(round_trips_ns) <= NO_SHARED_CACHE_NS:
        return "shared_cache"
    return "no_shared_cache" if min(round_trips_ns) > NO_SHARED_CACHE_NS else "mixed"


def _cells(shared: Any) -> memoryview:
    return memoryview(shared).cast("B").cast("q")


def _answer(shared: Any, requests: Connection, cpu: int) -> None:
    """Answer each number in the first cell with the same in the other, as many as a request says."""
    psutil.Process().cpu_affinity([cpu])
    cells = _cells(shared)
    while True:
        try:
            trips = int(requests.recv_bytes())
        except EOFError:
            return
        spins = iter(range(_MOST_SPINS))
        for number in range(1, trips + 1):
            while cells[0] != number:
                next(spins)
            cells[_ANSWER] = number


def _ask(shared: Any, requests: Connection, cpu: int) -> float:
    """Return the mean time from a number in the first cell to the same in the other, in nanoseconds."""
    this, cells = psutil.Process(), _cells(shared)
    before = this.cpu_affinity()
    cells[0] = cells[_ANSWER] = 0
    this.cpu_affinity([cpu])
    try:
        requests.send_bytes(str(_TRIPS).encode())
        spins = iter(range(_MOST_SPINS))
        start = 0.0
        for number in range(1, _TRIPS + 1):
            if number == _WARM_UP:
                start = time.perf_counter()
            cells[0] = number
            while cells[_ANSWER] != number:
                next(spins)
        return (time.perf_counter() - start) / (_TRIPS - _WARM_UP + 1) * 1e9
    except (StopIteration, OSError) as error:
        raise BenchmarkError(f"round trip: the process on the other CPU did not answer CPU {cpu}") from error
    finally:
        this.cpu_affinity(before)


@contextmanager
def opened() -> Iterator[RoundTrip | None]:
    """Give what measures a cache line's mean round trip between this process's first two CPUs, nanoseconds.

    It takes some 2 ms, raises `BenchmarkError` where the other side is gone, and nobody's CPU is used between
    two measurements. None where there is one CPU, or the system binds no process to a CPU (macOS).
    """
    this = psutil.Process()
    cpus = sorted(this.cpu_affinity()) if hasattr(this, "cpu_affinity") else []
    if len(cpus) < 2:
        yield None
        return
    # Not forked: a fork would keep all that this process has open.
    context = multiprocessing.get_context("spawn")
    shared = RawArray("q", _CELLS)
    ours, theirs = context.Pipe()
    process = context.Process(target=_answer, args=(shared, theirs, cpus[1]), daemon=True)
    with not_interrupted():
        process.start()
    theirs.close()
    try:
        yield lambda: _ask(shared, ours, cpus[0])
    finally:
        ours.close()
        process.terminate()
        process.join()
