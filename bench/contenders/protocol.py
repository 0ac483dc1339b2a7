"""How the benchmark speaks with a contender: JSON lines on standard input and output.

Standard library only: a contender of torch and one of onnxruntime both serve with it.

The worker's first line says what it opened: ``{"load_seconds", "size_bytes", "peak_bytes",
"versions"}``. A request ``{"batches": [[ids, …], …]}`` is answered by ``{"seconds": [one a batch],
"peak_bytes"}``, a request ``{"probabilities": [ids, …]}`` by ``{"probabilities": [[…], …]}``.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

TokenIds = Sequence[Sequence[int]]
_STATUS = Path("/proc/self/status")


class Rows(Protocol):
    """Anything that turns into nested lists: an array of numpy or torch."""

    def tolist(self) -> list[list[float]]:
        """Return one row a text."""


@dataclass(frozen=True)
class Contender:
    """What a worker serves: `run` takes the token ids of one batch to probabilities `[b, labels]`."""

    run: Callable[[TokenIds], Rows]
    files: Sequence[Path]
    versions: dict[str, str]


def peak_bytes() -> int:
    """Return the most memory this process has had resident, in bytes."""
    # Linux hands a parent's ru_maxrss to its child, so the kernel's own mark comes first.
    if _STATUS.is_file():
        for line in _STATUS.read_text("utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _seconds(contender: Contender, batches: Sequence[TokenIds]) -> list[float]:
    found = []
    for batch in batches:
        start = time.perf_counter()
        contender.run(batch)
        found.append(time.perf_counter() - start)
    return found


def serve(load: Callable[[], Contender]) -> None:
    """Open a contender, and answer requests until standard input ends.

    `load_seconds` is the time `load` takes: files to a model that is ready, libraries imported.
    """
    # A library that prints would break the protocol; its output goes to standard error.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def reply(**fields: object) -> None:
        print(json.dumps(fields), file=replies, flush=True)

    start = time.perf_counter()
    contender = load()
    reply(
        load_seconds=time.perf_counter() - start,
        size_bytes=sum(path.stat().st_size for path in contender.files),
        peak_bytes=peak_bytes(),
        versions=contender.versions,
    )
    for line in sys.stdin:
        request = json.loads(line)
        if "batches" in request:
            reply(seconds=_seconds(contender, request["batches"]), peak_bytes=peak_bytes())
        else:
            reply(probabilities=contender.run(request["probabilities"]).tolist())
