"""A contender's process: started, spoken to, and ended, whatever it does."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Self

from bench.contenders.protocol import TokenIds
from core.errors import BenchmarkError

_TAIL_LINES = 5
_END_SECONDS = 5.0
_EXCERPT = 80
_CHUNK_BYTES = 1 << 16


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that reads its standard input to the end: politely, then not."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Worker:
    """One contender; `ready` is what it said when it had opened its files."""

    def __init__(self, name: str, command: Sequence[str], timeout_seconds: float) -> None:
        """Start the process and wait until it is ready.

        Raises:
            BenchmarkError: it cannot be started, ends, says something else, or is silent too long.
        """
        self.name = name
        self.peak_bytes = 0
        self._timeout = timeout_seconds
        self._unread = b""
        # A file, not a pipe: nobody reads it until something is wrong.
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115
        start = time.perf_counter()
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, bufsize=0
            )
        except OSError as error:
            self._stderr.close()
            raise BenchmarkError(f"{name}: cannot be started: {error}") from error
        try:
            self.ready = self._answer({"load_seconds", "size_bytes", "peak_bytes", "versions"})
        except BaseException:
            self.close()
            raise
        self.start_seconds = time.perf_counter() - start

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def seconds(self, batches: Sequence[TokenIds]) -> list[float]:
        """Run batches one after the other; return the seconds each took.

        The first is run twice and its first time is dropped: whoever ran before has left the caches
        and the clock frequency in another state.

        Raises:
            BenchmarkError: the process ends, answers with something else, or takes too long.
        """
        answer = self._ask({"batches": [batches[0], *batches]}, {"seconds", "peak_bytes"})
        found: list[float] = answer["seconds"]
        sound = isinstance(found, list) and all(isinstance(one, float) and one > 0 for one in found)
        if not sound or len(found) != len(batches) + 1:
            raise self._error(
                f"answered with {str(found)[:_EXCERPT]}, expected {len(batches) + 1} times in seconds"
            )
        self.peak_bytes = answer["peak_bytes"]
        return found[1:]

    def probabilities(self, ids: TokenIds) -> list[list[float]]:
        """Return the contender's probabilities, one row a text, run as one batch.

        Raises:
            BenchmarkError: as `seconds`.
        """
        found: list[list[float]] = self._ask({"probabilities": ids}, {"probabilities"})["probabilities"]
        return found

    def close(self) -> None:
        """End the process."""
        end(self._process)
        self._stderr.close()

    def _ask(self, request: Mapping[str, object], fields: set[str]) -> dict[str, Any]:
        assert self._process.stdin is not None  # it is a pipe
        line = memoryview(json.dumps(request).encode() + b"\n")
        deadline = time.monotonic() + self._timeout
        os.set_blocking(self._process.stdin.fileno(), False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdin, selectors.EVENT_WRITE)
            while line:
                if not selector.select(max(deadline - time.monotonic(), 0)):
                    raise self._error(f"has not listened for {self._timeout:g} s")
                try:
                    line = line[self._process.stdin.write(line) or 0 :]
                except OSError as error:
                    raise self._error("ended") from error
        return self._answer(fields)

    def _line(self) -> bytes:
        """Return the next line; what ends without a newline is the end of the process."""
        assert self._process.stdout is not None  # it is a pipe
        deadline = time.monotonic() + self._timeout
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._unread:
                if not selector.select(max(deadline - time.monotonic(), 0)):
                    raise self._error(f"has not answered for {self._timeout:g} s")
                chunk = os.read(self._process.stdout.fileno(), _CHUNK_BYTES)
                if not chunk:
                    raise self._error("ended")
                self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _answer(self, fields: set[str]) -> dict[str, Any]:
        line = self._line()
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or set(answer) != fields:
            excerpt = line[:_EXCERPT].decode("utf-8", "replace")
            raise self._error(f"answered with {excerpt!r}, expected an object of {sorted(fields)}")
        return answer

    def _error(self, what: str) -> BenchmarkError:
        if what == "ended":
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_SECONDS)
        status = self._process.returncode
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
            name: stack.enter_context(Worker(name, command, timeout_seconds))
            for name, command in commands.items()
        }
