"""Doors into limited processes for those that open thousands: in a thread of this process, or in a fork."""

from __future__ import annotations

import importlib
import os
import threading
from contextlib import suppress
from dataclasses import dataclass, field

from core.untrusted.limited import service
from core.untrusted.limited.kernel import Limits


def _pipes() -> tuple[int, int, int, int]:
    """Both ends of the requests' pipe, then of the answers'."""
    return *os.pipe(), *os.pipe()


@dataclass
class Thread:
    """A thread that stands for a process; it has no limits, and ends with the pipe."""

    done: threading.Event = field(default_factory=threading.Event)
    pid: int = field(default_factory=os.getpid)

    def kill(self) -> None:
        """Do nothing: whoever kills also closes the pipe."""

    def wait(self, timeout: float | None = None) -> int:
        return 0


def in_a_thread(module: str) -> tuple[Thread, int, int]:
    """Serve a module's functions in a thread: `process.start` for tests of what is read, not of limits."""
    source, to_child, from_child, target = _pipes()
    functions = importlib.import_module(module).functions()

    def serve() -> None:
        # The parent may close its end first.
        with suppress(OSError):
            service.serve(functions, source, target, lambda memory, seconds: None)

    threading.Thread(target=serve, daemon=True).start()
    return Thread(), to_child, from_child


class Fork:
    """A forked process, as `subprocess.Popen` has it."""

    def __init__(self, pid: int) -> None:
        self.pid, self._code = pid, None

    def kill(self) -> None:
        if self._code is None:
            os.kill(self.pid, 9)

    def wait(self, timeout: float | None = None) -> int:
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code


def in_a_fork(module: str) -> tuple[Fork, int, int]:
    """Serve a module's functions in a limited fork of this warm process: 30 times as fast as a new one."""
    source, to_child, from_child, target = _pipes()
    functions = importlib.import_module(module).functions()
    child = os.fork()
    if not child:
        try:
            os.close(to_child)
            os.close(from_child)
            service.serve(functions, source, target, Limits().allow)
        finally:
            os._exit(0)
    os.close(source)
    os.close(target)
    return Fork(child), to_child, from_child
