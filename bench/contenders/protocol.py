"""Both ends of the JSON lines between the benchmark and a contender's process.

The worker's first line says what it opened: ``{"load_seconds", "size_bytes", "peak_bytes", "versions"}``. A
request ``{"batches": [[ids, …], …]}`` is answered by ``{"seconds": [for each batch], "peak_bytes"}``, a
request ``{"probabilities": [ids, …]}`` by ``{"probabilities": [[…], …]}``. Standard library only: workers of
torch and of onnxruntime both serve with it, and neither may load the other's libraries.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import BenchmarkError
from core.timing import call_seconds

_TAIL_LINES = 5
_END_SECONDS = 5.0
_EXCERPT = 80
TokenIds = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Model:
    """What a worker serves: `run` takes the token ids of one batch to an array of probabilities `[b, l]`."""

    run: Callable[[TokenIds], Any]
    files: Sequence[Path]
    versions: dict[str, str]


def peak_bytes() -> int:
    """Return the most memory this process has had resident, in bytes."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    # psutil knows no peak elsewhere, and on Linux ru_maxrss begins at the parent's: the kernel's own mark.
    if sys.platform == "linux":
        return int(Path("/proc/self/status").read_text("utf-8").split("VmHWM:")[1].split()[0]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def serve(load: Callable[[], Model]) -> None:
    """Open a model, and answer requests until standard input ends.

    `load_seconds` is the time `load` takes: files to a model that is ready, libraries imported.
    """
    # A library that prints would break the protocol; its output goes to standard error.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def reply(**fields: object) -> None:
        print(json.dumps(fields), file=replies, flush=True)

    start = time.perf_counter()
    model = load()
    reply(
        load_seconds=time.perf_counter() - start,
        size_bytes=sum(path.stat().st_size for path in model.files),
        peak_bytes=peak_bytes(),
        versions=model.versions,
    )
    for line in sys.stdin:
        request = json.loads(line)
        if "batches" in request:
            reply(seconds=call_seconds(model.run, request["batches"]), peak_bytes=peak_bytes())
        else:
            reply(probabilities=model.run(request["probabilities"]).tolist())


class Worker:
    """A contender's process; `ready` is what it said when it had opened its files."""

    def __init__(self, name: str, command: Sequence[str], timeout_seconds: float) -> None:
        """Start the process and wait until it is ready.

        Raises:
            BenchmarkError: it cannot be started, ends, says something else, or is silent too long.
        """
        self.name = name
        self.peak_bytes = 0
        self._timeout = timeout_seconds
        # A file, not a pipe: nobody reads it until something is wrong.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        start = time.perf_counter()
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr
            )
        except OSError as error:
            self._stderr.close()
            raise BenchmarkError(f"{name}: cannot be started: {error}") from error
        try:
            self.ready = self._ask(None, {"load_seconds", "size_bytes", "peak_bytes", "versions"})
        except BaseException:
            self.close()
            raise
        self.start_seconds = time.perf_counter() - start

    def seconds(self, batches: Sequence[TokenIds]) -> list[float]:
        """Run batches one after the other; return the seconds each took.

        The first is run twice and its first time is dropped: whoever ran before has left the caches
        and the clock frequency in another state.

        Raises:
            BenchmarkError: the process ends, answers with something else, or takes too long.
        """
        answer = self._ask({"batches": [batches[0], *batches]}, {"seconds", "peak_bytes"})
        seconds: list[float] = answer["seconds"]
        sound = isinstance(seconds, list) and all(isinstance(s, float) and s > 0 for s in seconds)
        if not sound or len(seconds) != len(batches) + 1:
            raise self._error(
                f"answered with {str(seconds)[:_EXCERPT]}, expected {len(batches) + 1} times in seconds"
            )
        self.peak_bytes = answer["peak_bytes"]
        return seconds[1:]

    def probabilities(self, ids: TokenIds) -> list[list[float]]:
        """Return the contender's probabilities, one row per text, run as one batch.

        Raises:
            BenchmarkError: as `seconds`.
        """
        rows: list[list[float]] = self._ask({"probabilities": ids}, {"probabilities"})["probabilities"]
        return rows

    def close(self) -> None:
        """End the process: by the end of its standard input, or else by force."""
        for pipe in (self._process.stdin, self._process.stdout):
            # What a dead process did not read cannot be flushed.
            with suppress(OSError):
                pipe and pipe.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stderr.close()

    def _ask(self, request: Mapping[str, object] | None, fields: set[str]) -> dict[str, Any]:
        """Send a request, where there is one, and return the answer, which has exactly these fields."""
        assert self._process.stdin is not None and self._process.stdout is not None  # noqa: PT018
        overdue, line = threading.Event(), b""

        # It ends both the writing of what nobody reads and the waiting for what nobody says.
        def give_up() -> None:
            overdue.set()
            self._process.kill()

        timer = threading.Timer(self._timeout, give_up)
        timer.start()
        try:
            if request is not None:
                self._process.stdin.write(json.dumps(request).encode() + b"\n")
                self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            pass
        finally:
            timer.cancel()
        if overdue.is_set():
            raise self._error(f"has not answered for {self._timeout:g} s")
        if not line.endswith(b"\n"):
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_SECONDS)
            raise self._error("ended")
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or set(answer) != fields:
            excerpt = line[:_EXCERPT].decode("utf-8", "replace").rstrip("\n")
            raise self._error(f"answered with {excerpt!r}, expected an object of {sorted(fields)}")
        return answer

    def _error(self, what: str) -> BenchmarkError:
        status = self._process.poll()
        self._stderr.seek(0)
        lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()[-_TAIL_LINES:]
        place = "" if status is None else f" (exit status {status})"
        tail = f"; its last words: {' / '.join(lines)}" if lines else ""
        return BenchmarkError(f"contender {self.name}: {what}{place}{tail}")


@contextmanager
def started(commands: Mapping[str, Sequence[str]], timeout_seconds: float) -> Iterator[dict[str, Worker]]:
    """Start contenders one after the other; end all of them, also where one fails.

    Raises:
        BenchmarkError: one cannot be started.
    """
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(closing(Worker(name, command, timeout_seconds)))
            for name, command in commands.items()
        }
