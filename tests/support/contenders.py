"""Contenders that take the time they are told to: processes that speak the benchmark's protocol."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from bench.contenders.contenders import Contender
from bench.measure.rounds import Round

READY = 'say(load_seconds=0.5, size_bytes=7, peak_bytes=1, versions={"fake": "1"})\n'
_HEAD = """
import json, sys
def say(**fields):
    print(json.dumps(fields), flush=True)
"""
# A batch takes `cost` seconds a text; a line of the log is one turn.
_BODY = """
for line in sys.stdin:
    request = json.loads(line)
    if "batches" in request:
        open(log, "a").write(f"{name} {[len(b) for b in request['batches']]}\\n")
        say(seconds=[cost * len(b) for b in request["batches"]], peak_bytes=99)
    else:
        say(probabilities=[[cost]] * len(request["probabilities"]))
"""


def program(body: str, *, ready: bool = True) -> list[str]:
    """A command line that runs `body`, after saying that it is ready."""
    return [sys.executable, "-c", _HEAD + (READY if ready else "") + body]


def steady(name: str, cost: float, log: Path) -> list[str]:
    return program(f"name, cost, log = {name!r}, {cost!r}, {str(log)!r}\n{_BODY}")


@dataclass(frozen=True)
class Fake(Contender):
    """A contender with a command line of its own."""

    line: tuple[str, ...] = ()

    def command(self, threads: int) -> list[str]:
        return list(self.line)


def fake(name: str, precision: str, line: list[str]) -> Fake:
    return Fake(name, precision, "a fake", (), (), line=tuple(line))


# Round trips of CPUs that share a cache, and of CPUs that do not, up to the limit between them.
NEAR, FAR = [200.0, 430.0], [431.0, 600.0]
CONTENDERS = [fake(name, "int8", []) for name in ("optimum", "int8")]
BEST = {"int8": 400.0}


def rounds(*trips: list[float]) -> list[Round]:
    """Four rounds with these round trips, of two texts and once of one."""
    texts, tokens, work = (2, 1, 2, 2), (5, 3, 5, 5), (50.0, 30.0, 50.0, 50.0)
    seconds = {"optimum": [[4.0], [2.0], [4.0], [4.0]], "int8": [[1.0], [0.5], [2.0], [3.0]]}
    return [
        Round(
            texts[index],
            tokens[index],
            work[index],
            {name: times[index] for name, times in seconds.items()},
            {"int8": 100.0 * (index + 1)},
            list(trips[index]),
        )
        for index in range(4)
    ]
