"""Put a server under a bounded load: callers that ask at once, each answer held to the expected one.

A caller is a thread with a connection of its own. It asks for one text, then for the next as soon as it has
its answer. Numpy and the standard library are enough: it runs in any server's environment.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.timing import percentile_ms


class Answer(NamedTuple):
    """What is answered to one text: float32 probabilities `[labels]`, bool decisions `[labels]`."""

    probabilities: NDArray[np.float32]
    decisions: NDArray[np.bool_]


# A connection: one text to its answer. It raises where there is none.
Ask = Callable[[str], Answer]


@dataclass(frozen=True)
class Load:
    """What came back from some callers.

    `different` counts answers with another decision than expected; `largest_change` is of a probability.
    `failed` counts requests without an answer, `first_failure` says why; they are in no other figure.
    """

    callers: int
    answered: int
    failed: int
    first_failure: str
    different: int
    largest_change: float
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def texts_per_second(self) -> float:
        """Return how many texts were answered in a second, by all callers together."""
        return self.answered / self.seconds

    def row(self) -> str:
        """Return one line of a table."""
        return (
            f"| {self.callers} | {self.answered} | {self.p50_ms:.1f} | {self.p99_ms:.1f} | "
            f"{self.texts_per_second:.0f} | {self.different} | {self.largest_change:.1e} | {self.failed} |"
        )


HEADER = (
    "| callers | answered | p50 ms | p99 ms | texts/s | different | largest change | failed |\n"
    + "| --- " * 8
    + "|"
)


class _Caller(threading.Thread):
    """Ask until the requests or the time run out; what came back stays here, for one thread to read."""

    def __init__(
        self, connect: Callable[[], Ask], next_text: Callable[[], tuple[str, Answer] | None]
    ) -> None:
        super().__init__(daemon=True)
        self._connect, self._next = connect, next_text
        self.seconds: list[float] = []
        self.failures: list[str] = []
        self.different = 0
        self.largest_change = 0.0

    def run(self) -> None:
        ask: Ask | None = None
        while (given := self._next()) is not None:
            text, expected = given
            start = time.perf_counter()
            try:
                # A connection that failed may be of no more use.
                ask = ask or self._connect()
                found = ask(text)
            except Exception as error:  # whatever a client's library raises is a request without an answer
                self.failures.append(f"{type(error).__name__}: {error}")
                ask = None
                continue
            self.seconds.append(time.perf_counter() - start)
            change = np.abs(found.probabilities - expected.probabilities).max()
            self.largest_change = max(self.largest_change, float(change))
            self.different += not np.array_equal(found.decisions, expected.decisions)


def run(
    connect: Callable[[], Ask],
    texts: Sequence[str],
    expected: Sequence[Answer],
    callers: int,
    requests: int,
    max_seconds: float = 600.0,
) -> Load:
    """Ask for `texts`, over and over, until `requests` are made or `max_seconds` are over.

    Args:
        connect: opens a connection; called once in each caller's thread, and after each failure.
        texts: at least one.
        expected: the answer to each text alone, in the texts' order.
        callers: how many ask at the same time.
        requests: how many requests they make together.
        max_seconds: after which no further request is made.

    Returns:
        What came back; latencies are NaN where nothing did.
    """
    pairs = list(zip(texts, expected, strict=True))
    counter, lock = itertools.count(), threading.Lock()
    start = time.perf_counter()
    deadline = start + max_seconds

    def next_text() -> tuple[str, Answer] | None:
        with lock:
            index = next(counter)
        return pairs[index % len(pairs)] if index < requests and time.perf_counter() < deadline else None

    threads = [_Caller(connect, next_text) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall = time.perf_counter() - start
    seconds = [second for thread in threads for second in thread.seconds]
    failures = [failure for thread in threads for failure in thread.failures]
    return Load(
        callers=callers,
        answered=len(seconds),
        failed=len(failures),
        first_failure=failures[0] if failures else "",
        different=sum(thread.different for thread in threads),
        largest_change=max(thread.largest_change for thread in threads),
        seconds=wall,
        p50_ms=percentile_ms(seconds, 50) if seconds else float("nan"),
        p99_ms=percentile_ms(seconds, 99) if seconds else float("nan"),
    )
