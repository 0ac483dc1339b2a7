"""A server's process: started on the loopback, waited for, stopped, and nothing of it left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_MARK = "SERVER_PROCESS_MARK"
_POLL_SECONDS = 0.1
# The loopback is asked directly, whatever proxy the machine has.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback that nobody listened on a moment ago."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def answers(url: str) -> Callable[[], bool]:
    """Return a question that is true once a GET of `url` has status 200."""

    def ask() -> bool:
        try:
            with _OPENER.open(url, timeout=5) as answer:
                return answer.status == 200
        except (OSError, urllib.error.URLError):
            return False

    return ask


def processes_of(mark: str) -> dict[int, str]:
    """The processes that carry a mark in their environment, whoever adopted them: id → command line."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            if f"{_MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0") and state != "Z":
                found[int(folder.name)] = (
                    (folder / "cmdline").read_bytes().decode().replace("\0", " ").strip()
                )
        except OSError:
            continue
    return found


def _tail(log: Path, lines: int = 40) -> str:
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:])


def _wait(seconds: float, what: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not (done := what()) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return done


@contextmanager
def serving(
    command: Sequence[object],
    ready: Callable[[], bool],
    log: Path,
    *,
    environment: Mapping[str, str] | None = None,
    start_seconds: float = 120,
    stop_seconds: float = 30,
    stopped_with: Sequence[int] = (0, -signal.SIGTERM, 128 + signal.SIGTERM),
    cwd: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server while the block lasts.

    Args:
        command: what starts it.
        ready: asked until it is true; from then on the block runs.
        log: where its output goes.
        environment: more variables; proxies of the machine are taken away.
        start_seconds: how long it may take to be ready.
        stop_seconds: how long it may take to end after SIGTERM, with all that it started.
        stopped_with: the exit statuses of a clean stop.

    Raises:
        AssertionError: it ended by itself, was not ready in time, did not stop in time or with another
            status, or left a process behind; the end of its log says more.
    """
    mark = uuid.uuid4().hex
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    variables = {**kept, **(environment or {}), _MARK: mark}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*map(str, command)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=variables,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        is_up = _wait(start_seconds, lambda: process.poll() is not None or ready())
        assert process.poll() is None, f"ended with {process.returncode} before it was ready:\n{_tail(log)}"
        assert is_up, f"not ready after {start_seconds} s:\n{_tail(log)}"
        yield process
        assert process.poll() is None, f"ended with {process.returncode} by itself:\n{_tail(log)}"
        process.terminate()
        assert _wait(stop_seconds, lambda: process.poll() is not None), f"does not stop:\n{_tail(log)}"
        assert process.returncode in stopped_with, f"stopped with {process.returncode}:\n{_tail(log)}"
        assert _wait(2, lambda: not processes_of(mark)), f"left behind: {processes_of(mark)}"
    finally:
        for pid in processes_of(mark):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait()
