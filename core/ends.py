"""How a command ends: one line that says why, and an exit status that tells a verdict from an error.

0: done. 1: a verdict, what was looked at is over a tolerance or is refused. 2: an error, it could not be
looked at, or nothing was made. 130: interrupted. Standard library only.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType

from core.errors import ToolchainError

VERDICT = 1
FAILED = 2
INTERRUPTED = 130
# Set by make for what it runs.
_MAKE = "MAKELEVEL"


def say(message: str) -> None:
    """Write a line to standard error, where there is one."""
    # Nobody is left to be told where this fails, too.
    with suppress(AttributeError, OSError, ValueError):
        print(message, file=sys.stderr, flush=True)


def interrupted(message: str = "interrupted") -> int:
    """Say that the user interrupted, and return the status of that; make says it for what it runs."""
    with suppress(ValueError):
        # Who interrupts again does not want to wait for what is being cleared away.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if _MAKE not in os.environ or message != "interrupted":
        say(message)
    return INTERRUPTED


@contextmanager
def not_interrupted() -> Iterator[None]:
    """Let what is started in the block ignore the terminal's interrupts: whoever started it ends it."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def status_of(error: BaseException) -> int:
    """Say in a line how a command ended; return its exit status.

    An exception that no command foresaw is a mistake of ours, and keeps its trace.
    """
    if isinstance(error, KeyboardInterrupt):
        return interrupted()
    if isinstance(error, ToolchainError):
        say(f"error: {error}")
        return error.status
    if isinstance(error, OSError | ImportError):
        # Readers and writers name their own files; this is a folder or a device that no command foresaw.
        say(f"error: {ToolchainError(error)}")
        return FAILED
    with suppress(OSError, ValueError):
        traceback.print_exception(error)
    return FAILED


def hook(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    """End the process as `status_of` says: for `sys.excepthook`."""
    raise SystemExit(status_of(error))
