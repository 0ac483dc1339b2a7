"""`python -m bench.measure.cache_line FD CPU`: how far apart two CPUs are, by a cache line's round trip.

A virtual machine's CPUs may be moved to cores that share no cache, and back. Every hand-over from one thread
to another then costs several times as much, so that rounds of both kinds are not to be compared.
"""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from bench.contenders.process import end
from core.errors import BenchmarkError

_TRIPS = 2000
_WARM_UP = 200
# Two cache lines on, as some CPUs fetch them in pairs.
_ANSWER = 16
# Some seconds of waiting for the other, and no end without it.
_MOST_SPINS = 200_000_000
_ROOT = Path(__file__).resolve().parent.parent.parent
# Measured on an AMD EPYC: 160 to 320 ns with a shared cache, 530 to 710 without one. Some 150 ns of them are
# the interpreter's: the difference to the same trip in C.
APART_NS = 430.0
RoundTrip = Callable[[], float]
Phase = Literal["together", "apart", "mixed"]
# Of a phase alone rates say something.
STEADY: tuple[Phase, ...] = ("together", "apart")


def phase(round_trips_ns: Sequence[float]) -> Phase:
    """Name what was run between some round trips by whether the CPUs shared a cache; at least one."""
    if max(round_trips_ns) <= APART_NS:
        return "together"
    return "apart" if min(round_trips_ns) > APART_NS else "mixed"


def _answer(fd: int, cpu: int) -> None:
    """For each line on standard input, answer each number in the first cell with the same in the other."""
    os.sched_setaffinity(0, {cpu})
    with mmap.mmap(fd, mmap.PAGESIZE) as memory, memoryview(memory).cast("q") as cells:
        for _ in sys.stdin.buffer:
            spins = iter(range(_MOST_SPINS))
            for number in range(1, _TRIPS + 1):
                while cells[0] != number:
                    next(spins)
                cells[_ANSWER] = number


def _ask(cells: memoryview, process: subprocess.Popen[bytes], cpu: int) -> float:
    assert process.stdin is not None  # it is a pipe
    before = os.sched_getaffinity(0)
    cells[0] = cells[_ANSWER] = 0
    os.sched_setaffinity(0, {cpu})
    try:
        process.stdin.write(b"\n")
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
        raise BenchmarkError(
            f"round trip: CPU {cpu}'s other did not answer, its process {process.pid} ended with "
            f"{process.poll()}"
        ) from error
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def opened() -> Iterator[RoundTrip | None]:
    """Give what measures a cache line's mean round trip between this process's first two CPUs, nanoseconds.

    It takes some 2 ms, raises `BenchmarkError` where the other side is gone, and nobody's CPU is used between
    two measurements. None where there is one CPU, or the system does not say which there are (not Linux).
    """
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cpus) < 2:
        yield None
        return
    with tempfile.TemporaryFile() as file:
        file.truncate(mmap.PAGESIZE)
        fd = file.fileno()
        command = [sys.executable, "-m", "bench.measure.cache_line", str(fd), str(cpus[1])]
        pipe = subprocess.PIPE
        with (
            subprocess.Popen(command, stdin=pipe, bufsize=0, pass_fds=[fd], cwd=_ROOT) as process,
            mmap.mmap(fd, mmap.PAGESIZE) as memory,
            memoryview(memory).cast("q") as cells,
        ):
            try:
                yield lambda: _ask(cells, process, cpus[0])
            finally:
                end(process)


if __name__ == "__main__":
    _answer(int(sys.argv[1]), int(sys.argv[2]))
