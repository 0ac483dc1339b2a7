"""Hold a limited process: start it, ask it, watch its clock, and say in one line how it ended."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn, Protocol

from core.errors import ToolchainError
from core.untrusted import limits
from core.untrusted.limited import allowance, frames, kernel
from core.untrusted.limited.allowance import Allowance
from core.untrusted.limited.frames import FrameError, Header, Value

_HOME = Path(__file__).parent.parent.parent.parent
_SLICE_SECONDS = 0.25
_END_SECONDS = 5


class CallError(Exception):
    """What a limited process answers where a call fails and the process lives: the library's own words."""


class Child(Protocol):
    """A process as `subprocess.Popen` has it."""

    pid: int

    def kill(self) -> None:
        """End it."""

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code, below 0 that of a signal."""


def spawn(module: str) -> tuple[Child, int, int]:
    """Start `python -m module`; return it, and the pipes to it and from it."""
    child = subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=_HOME,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        # An interrupt at the terminal is the parent's to hear.
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same on Windows
        # Each arena of glibc's reserves 64 MB, which the limit would count.
        env={**os.environ, "MALLOC_ARENA_MAX": "2"},
    )
    assert child.stdin is not None
    assert child.stdout is not None
    pipes = os.dup(child.stdin.fileno()), os.dup(child.stdout.fileno())
    child.stdin.close()
    child.stdout.close()
    return child, *pipes


# Fuzzers, which start thousands, put a fork of a warm process here (tests/fuzz/attempt.py).
start: Callable[[str], tuple[Child, int, int]] = spawn


class _Call:
    """A request that is under way."""

    def __init__(self, allowed: Allowance) -> None:
        self.allowed, self.done = allowed, threading.Event()
        self.answer: tuple[Header, list[Value]] | None = None


class _Channel:
    """The pipes of a process, and the calls that wait for its answers."""

    def __init__(self, child: Child, to_child: int, from_child: int) -> None:
        self.child = child
        self.to_child, self._from_child = io.FileIO(to_child, "w"), io.FileIO(from_child, "r")
        self.writing, self._lock = threading.Lock(), threading.Lock()
        self._calls: dict[int, _Call] = {}
        self._next, self.ended, self.reason = 0, False, ""

    def add(self, allowed: Allowance) -> tuple[int, _Call, Allowance]:
        """Return a call's number, the call, and the allowance of all that are under way."""
        call = _Call(allowed)
        with self._lock:
            number, self._next = self._next, self._next + 1
            if self.ended:
                call.done.set()
            self._calls[number] = call
        return number, call, self.allowed()

    def drop(self, number: int) -> None:
        with self._lock:
            self._calls.pop(number, None)

    def allowed(self) -> Allowance:
        """Return what all calls under way may take together."""
        with self._lock:
            every = [call.allowed for call in self._calls.values()] or [Allowance(0, 0, 0)]
        seconds, memory, answer = (sum(given[index] for given in every) for index in range(3))
        return Allowance(seconds, int(memory), int(answer))

    def end(self, reason: str) -> None:
        """End the process, for the first reason that is given."""
        with self._lock:
            self.reason = self.reason or reason
        self.child.kill()

    def listen(self) -> None:
        """Take answers until the process ends, for whoever waits."""
        try:
            while (message := frames.read_header(self._from_child)) is not None:
                header, size = message
                with self._lock:
                    call = self._calls.get(header.get("number", -1))
                if call is None or size > call.allowed.answer:
                    raise FrameError(f"{size:,} bytes that nobody asked for")
                values = frames.read_values(self._from_child, header, size)
                if values is None:
                    break
                call.answer = header, values
                call.done.set()
        except (FrameError, OSError, MemoryError) as error:
            self.end(f"the process that runs it answered with {error}")
        self._close()

    def _close(self) -> None:
        try:
            code = self.child.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.child.kill()
            code = self.child.wait()
        with self._lock:
            self.reason = self.reason or f"the process that runs it ended with {_named(code)}"
            self.ended = True
            waiting = list(self._calls.values())
        for call in waiting:
            call.done.set()
        self._from_child.close()


def _named(code: int) -> str:
    try:
        return signal.Signals(-code).name if code < 0 else f"code {code}"
    except ValueError:
        return f"signal {-code}"


def _finish(channel: _Channel) -> None:
    channel.end("it was closed")
    # Whoever writes holds the lock; the broken pipe lets go of it.
    with channel.writing:
        channel.to_child.close()


class Process:
    """A limited process, which any number of threads may call at the same time."""

    def __init__(self, module: str, place: object, error: type[ToolchainError]) -> None:
        """Start `python -m module`, which calls `service.serve`; it gets ready meanwhile.

        Args:
            place: what a message begins with, the untrusted file's name.
            error: what is raised where the process ends, or must be ended.

        Raises:
            error: the environment's factor of time is not one, or there is no room for a process.
        """
        self._place, self._error = place, error
        self._factor = allowance.time_factor(error)
        try:
            self._channel = _Channel(*start(module))
        except OSError as failure:
            raise error(f"{place}: no process can be started to read it: {failure.strerror}") from failure
        self._finish = weakref.finalize(self, _finish, self._channel)
        self.pid = self._channel.child.pid
        self._ready: _Call | None = self._channel.add(Allowance(limits.START_SECONDS, 0, 0))[1]
        threading.Thread(target=self._channel.listen, daemon=True).start()

    def call(
        self, function: str, header: Header, values: Sequence[Value], allowed: Allowance
    ) -> tuple[Header, list[Value]]:
        """Ask the process for something, and wait.

        Raises:
            CallError: it answers that it failed.
            error: it ended, or took more than it may, and was ended.
        """
        if self._ready is not None:
            self._wait(0, self._ready)
            self._ready = None
        number, call, every = self._channel.add(allowed)
        told = {"number": number, "function": function, "answer": allowed.answer, "memory": every.memory}
        told["seconds"] = every.seconds * self._factor * limits.PATIENCE
        try:
            pieces = frames.pack({**header, **told}, values)
        except ValueError:
            self._channel.drop(number)
            raise
        # Where it has ended, and the pipe is broken or closed, the listener says how.
        with suppress(OSError, ValueError):
            frames.write(self._channel.to_child, pieces, self._channel.writing)
        answer, answers = self._wait(number, call)
        if "failed" in answer:
            raise CallError(str(answer["failed"]))
        return answer, answers

    def close(self) -> None:
        """End the process; calls under way fail."""
        self._finish()

    def _wait(self, number: int, call: _Call) -> tuple[Header, list[Value]]:
        channel = self._channel
        start_time, start_cpu = time.monotonic(), kernel.cpu_seconds(self.pid)
        try:
            while not call.done.wait(_SLICE_SECONDS):
                most = channel.allowed().seconds * self._factor
                elapsed, cpu = time.monotonic() - start_time, kernel.cpu_seconds(self.pid)
                busy = elapsed if cpu is None or start_cpu is None else cpu - start_cpu
                # On a busy machine, or one whose disk is slow, the clock says little.
                if elapsed > most and (busy > most or elapsed > limits.PATIENCE * most):
                    channel.end(f"takes over {most:.0f} s")
        except BaseException:
            channel.end("it was interrupted")
            raise
        finally:
            channel.drop(number)
        if call.answer is None:
            self._refuse()
        return call.answer

    def _refuse(self) -> NoReturn:
        raise self._error(f"{self._place}: refused: {self._channel.reason}")
