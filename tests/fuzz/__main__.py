"""`python -m tests.fuzz [READER …] --seconds 60 | --count N`: the readers on inputs made to break them.

Deterministic: an input is named by READER/SEED/NUMBER, and made anew from that name. A worker that dies or
takes over five seconds for one input is a failure like an exception that is not the project's own; all
three are kept in build/fuzz/failures. Exits with 1 where there is one.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import selectors
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.fuzz import readers
from tests.support.places import ROOT

_PLACE = ROOT / "build" / "fuzz"
_HANG_SECONDS = 5.0
_START_SECONDS = 60.0
# Inputs of one worker: what the runtime leaks a session is given back.
_CHUNK = 2_000
_CHUNK_BYTES = 1 << 16


@dataclass
class Tally:
    """What came of a reader's inputs."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0


class Worker:
    """One worker process, and its lines."""

    def __init__(self, reader: str, seed: int, start: int, count: int) -> None:
        """Start it."""
        seeds, place = _PLACE / "seeds" / reader, _PLACE / f"{reader}-{os.getpid()}"
        command = [sys.executable, "-m", "tests.fuzz.worker", reader, seed, start, count, seeds, place]
        environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false"}
        self._process = subprocess.Popen(
            list(map(str, command)),
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._unread = b""

    def line(self, seconds: float) -> str | None:
        """Return the next line; None where the process ended; raises TimeoutError."""
        deadline = time.monotonic() + seconds
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                if not selector.select(max(deadline - time.monotonic(), 0)):
                    raise TimeoutError
                chunk = os.read(self._process.stdout.fileno(), _CHUNK_BYTES)
                if not chunk:
                    return None
                self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode("utf-8", "replace")

    def end(self) -> int:
        """Kill it where it runs; return its exit code."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        return self._process.wait()


def _keep(tally: Tally, reader: str, seed: int, number: int, said: str) -> None:
    name = f"{reader}/{seed}/{number}"
    tally.outcomes["FAILED"] += 1
    tally.failures.append(f"{name}: {said}")
    print(f"  {name}: {said}", flush=True)
    made = readers.case(_PLACE / "seeds" / reader, name)
    readers.write(*made, _PLACE / "failures" / name.replace("/", "-"))


def _run(reader: str, seed: int, start: int, count: int, deadline: float, tally: Tally) -> int:
    """Run up to `count` inputs in one worker; return the number of the next."""
    worker = Worker(reader, seed, start, count)
    number, done = start, start
    try:
        while done < start + count and time.monotonic() < deadline:
            line = worker.line(_START_SECONDS)
            if line is None:
                raise SystemExit(f"{reader}: the worker ended with {worker.end()} before input {done}")
            number, began = int(line), time.monotonic()
            try:
                said = worker.line(_HANG_SECONDS)
            except TimeoutError:
                said = f"FAILED: took over {_HANG_SECONDS:g} s"
            tally.slowest = max(tally.slowest, time.monotonic() - began)
            done = number + 1
            if said is None or said.startswith("FAILED"):
                _keep(tally, reader, seed, number, said or f"FAILED: the process died with {worker.end()}")
                if said is None or "took over" in said:
                    break
            else:
                tally.outcomes[said.split(":")[0]] += 1
    finally:
        worker.end()
    return done


def fuzz(reader: str, seed: int, start: int, count: int | None, seconds: float | None) -> Tally:
    """Fuzz one reader for so many inputs or seconds."""
    from tests.fuzz import seeds

    seeds.write(reader, _PLACE / "seeds" / reader)
    tally, number = Tally(), start
    deadline = time.monotonic() + (seconds or float("inf"))
    end = start + count if count is not None else 1 << 60
    while number < end and time.monotonic() < deadline:
        number = _run(reader, seed, number, min(_CHUNK, end - number), deadline, tally)
    outcomes = ", ".join(f"{n:,} {name}" for name, n in sorted(tally.outcomes.items()))
    print(
        f"{reader}: inputs {seed}/{start} to {seed}/{number - 1}: {outcomes}; "
        f"{len(tally.failures)} failures; slowest {tally.slowest:.2f} s",
        flush=True,
    )
    return tally


def main() -> int:
    """Fuzz the readers of the command line; 1 where one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("readers", nargs="*", choices=[[], *readers.READERS], default=[])
    parser.add_argument("--seconds", type=float, help="of each reader")
    parser.add_argument("--count", type=int, help="inputs of each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=int, default=0)
    given = parser.parse_args()
    if given.count is None and given.seconds is None:
        parser.error("give --seconds or --count")
    chosen = given.readers or list(readers.READERS)
    found = [fuzz(reader, given.seed, given.start, given.count, given.seconds) for reader in chosen]
    return int(any(tally.failures for tally in found))


if __name__ == "__main__":
    sys.exit(main())
