"""Tell what more threads give one session, and what more sessions give one process.

The serial share of a session is Karp and Flatt's (Measuring Parallel Processor Performance, 1990): the part
of one thread's time that would explain the speedup, could it not be divided and all else could. It holds what
the graph leaves undivided, and what waking threads and sharing memory cost.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path

from bench.measure import texts
from core import runtime
from core.timing import Spread, Turn, interleave, ratio

_ROUNDS = 7


@dataclass(frozen=True)
class Scaling:
    """Texts/s as multiples of one session's with one thread, on so many CPUs."""

    cpus: int
    threads: Spread
    sessions: Spread

    @property
    def serial_share(self) -> Spread:
        """The serial share of the session with a thread for each CPU; lowest where it is fastest."""
        median, high, low = (serial_share(speedup, self.cpus) for speedup in astuple(self.threads))
        return Spread(median, low, high)


def serial_share(speedup: float, cpus: int) -> float:
    """Return Karp and Flatt's serial share; below 0 where the speedup is more than the CPUs'."""
    return (1 / speedup - 1 / cpus) / (1 - 1 / cpus)


def amdahl(share: float, cpus: int) -> float:
    """Return the speedup that a serial share leaves on so many CPUs (Amdahl, 1967)."""
    return 1 / (share + (1 - share) / cpus)


def _turn(
    sessions: Sequence[runtime.Session], batches: Sequence[texts.Ids], pool: ThreadPoolExecutor
) -> Turn:
    feeds = [runtime.feeds(*runtime.pad(batch)) for batch in batches]

    def run(session: runtime.Session) -> None:
        for each in feeds:
            session.run(None, each)

    def turn(_: int) -> list[float]:
        for session in sessions:
            session.run(None, feeds[0])
        start = time.perf_counter()
        list(pool.map(run, sessions))
        # Each session ran all of them.
        return [(time.perf_counter() - start) / len(sessions)]

    return turn


def scaling(file: Path, ids: texts.Ids, size: int, cpus: int) -> Scaling:
    """Run batches of `size` texts with one thread, with a thread and with a session for each CPU, in turns.

    Args:
        file: a finished graph.
        ids: the token ids of texts.
        size: texts in a batch.
        cpus: at least 2.

    Raises:
        ArtifactError: onnxruntime does not load it.
    """
    batches = texts.batches(ids, size)
    opened = {
        "one": [runtime.open_session(file, threads=1)],
        "threads": [runtime.open_session(file, threads=cpus)],
        "sessions": [runtime.open_session(file, threads=1) for _ in range(cpus)],
    }
    with ThreadPoolExecutor(cpus) as pool:
        turns = {name: _turn(sessions, batches, pool) for name, sessions in opened.items()}
        seconds = {name: [own[0] for own in rounds] for name, rounds in interleave(turns, _ROUNDS).items()}
    one, threads, sessions = seconds.values()
    return Scaling(cpus, ratio(one, threads), ratio(one, sessions))
