"""`python -m verify soak ARTIFACT --minutes 10`: let eight threads share one session.

Every answer must be the very one that the batch got alone, bit for bit. The memory of this process and of the
one that runs the graph must not grow: the median of the last tenth of the time against that of the second
fifth, after the warm-up.
"""

from __future__ import annotations

import argparse
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

import numpy as np

from core.artifact import manifest
from core.artifact.graph import Graph
from core.errors import ArtifactError, GateError
from core.timing import median
from core.untrusted.limited.process import CallError
from verify.load.inputs import random_batch
from verify.load.stress import sizes

THREADS = 8
MAX_DRIFT = 0.05
_BATCHES = 64
_SECONDS_BETWEEN_SAMPLES = 0.5


@dataclass
class Soaked:
    """Count a soak's answers, list those that differ, and sample resident memory every half second."""

    answers: int = 0
    differences: list[str] = field(default_factory=list)
    memory_bytes: list[int] = field(default_factory=list)

    @property
    def drift(self) -> float:
        """How much memory grew after the warm-up, as a share; below 0 where it fell."""
        count = len(self.memory_bytes)
        warm = self.memory_bytes[count // 5 : 2 * count // 5] or self.memory_bytes
        last = self.memory_bytes[-max(count // 10, 1) :]
        return median(last) / median(warm) - 1


def _resident_bytes(pid: int) -> int:
    """Return what this process and the one that runs the graph hold; the latter may have ended."""
    # Of the extra `build`; other commands of this room's do without it.
    import psutil

    held: int = psutil.Process().memory_info().rss
    with suppress(psutil.NoSuchProcess):
        held += psutil.Process(pid).memory_info().rss
    return held


def soak(graph: Graph, vocabulary: int, positions: int, seconds: float, threads: int = THREADS) -> Soaked:
    """Let threads share a graph's session."""
    feeds = [random_batch(1, number, vocabulary, positions) for number in range(_BATCHES)]

    def run(number: int) -> list[np.ndarray]:
        answers: list[np.ndarray] = graph.session.run(None, feeds[number])
        return answers

    expected = [run(number) for number in range(_BATCHES)]
    soaked, lock, deadline = Soaked(), threading.Lock(), time.monotonic() + seconds

    def call(seed: int) -> None:
        random = Random(seed)
        while time.monotonic() < deadline:
            number = random.randrange(_BATCHES)
            try:
                same = all(map(np.array_equal, run(number), expected[number]))
                wrong = "" if same else f"batch {number}: not the answer it got alone"
            except (CallError, ArtifactError) as error:
                wrong = f"batch {number}: {error}"
            with lock:
                soaked.answers += 1
                if wrong:
                    soaked.differences.append(wrong)
                    # A process that has ended answers no more.
                    return

    callers = [threading.Thread(target=call, args=(seed,), daemon=True) for seed in range(threads)]
    for caller in callers:
        caller.start()
    while not soaked.memory_bytes or (time.monotonic() < deadline and any(c.is_alive() for c in callers)):
        soaked.memory_bytes.append(_resident_bytes(graph.session.pid))
        time.sleep(min(_SECONDS_BETWEEN_SAMPLES, max(deadline - time.monotonic(), 0)))
    for caller in callers:
        caller.join()
    return soaked


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads besides the artifact."""
    parser.add_argument("--minutes", type=float, default=10.0, help="how long")
    parser.add_argument("--variant", default="int8", help="of the artifact's graphs")


def run(given: argparse.Namespace) -> None:
    """Soak one variant and print a line of figures.

    Raises:
        ArtifactError: the artifact cannot be read, or has no such variant.
        GateError: an answer differed, or memory grew by over 5 %.
    """
    limits = sizes(given.artifact)
    chosen = [variant for variant in manifest.variants(given.artifact) if variant.name == given.variant]
    if not chosen:
        raise ArtifactError(f"{given.artifact}: has no variant {given.variant}")
    graph = Graph(chosen[0].file, threads=1)
    soaked = soak(graph, limits.vocabulary, limits.positions, 60 * given.minutes)
    resident = [round(size / 1e6) for size in (soaked.memory_bytes[0], soaked.memory_bytes[-1])]
    print(
        f"{given.variant}: {given.minutes:g} minutes, {THREADS} threads, {soaked.answers:,} answers, "
        f"{len(soaked.differences)} differ; {resident[0]} MB at first, {resident[1]} MB at last, "
        f"drift after the warm-up {soaked.drift:+.2%}"
    )
    if soaked.differences:
        raise GateError(f"{given.variant}: {len(soaked.differences)} answers differ; {soaked.differences[0]}")
    if soaked.drift > MAX_DRIFT:
        raise GateError(f"{given.variant}: memory grew by {soaked.drift:.2%}, at most {MAX_DRIFT:.0%}")
