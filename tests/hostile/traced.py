"""Run a command under limits of time and memory, and list every file that it or its children touched.

The trace is strace's (Linux): every call that opens, makes, changes, moves or removes a file, runs a program
or connects to an address, of every process that the command starts, whatever language it is written in.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

# Of a processor: on the clock, a busy machine takes longer. The promise is 10; strace takes its part, and the
# imports of a build under it.
SECONDS = 20
BYTES = 1 << 30
# On the clock: what waits for ever takes no processor.
_ENDED_AFTER = 60
_EVERY = 0.05

_READS = ("open", "openat", "openat2")
_CHANGES = (
    "creat mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat "
    "truncate chmod fchmodat chown lchown fchownat mknod mknodat utimensat setxattr"
).split()
_CALLS = [*_READS, *_CHANGES, "execve", "execveat", "connect", "chdir", "fchdir"]
_LINE = re.compile(r"^(\w+)\((.*)\) += (-?\d+|\?)")
_FOLDER = re.compile(r"AT_FDCWD<((?:[^>\\]|\\.)*)>")
_PATH = re.compile(r'(?:(AT_FDCWD|\d+)<((?:[^>\\]|\\.)*)>, )?"((?:[^"\\]|\\.)*)"')
_WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND")


@dataclass(frozen=True)
class Access:
    """One call that succeeded: `read`, `change`, `run` or `connect`, and the path (or address) of it."""

    kind: str
    path: str


@dataclass(frozen=True)
class Outcome:
    """How a command ended; its output; what it took.

    `seconds` are on the clock, `cpu_seconds` those of all its processes and of strace; `peak_bytes` is the
    most memory that all its processes held at once.
    """

    status: int
    stdout: str
    stderr: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    accesses: frozenset[Access]

    @property
    def said(self) -> str:
        """All that it printed."""
        return self.stdout + self.stderr


def can_trace() -> bool:
    """Return whether strace is there and may trace."""
    strace = shutil.which("strace")
    return strace is not None and not subprocess.run([strace, "true"], capture_output=True).returncode


def _unescaped(text: str) -> str:
    return os.fsdecode(text.encode().decode("unicode_escape").encode("latin-1"))


def _paths(arguments: str, folder: str) -> list[str]:
    return [
        os.path.normpath(Path(_unescaped(base) if base else folder, _unescaped(path)))
        for _, base, path in _PATH.findall(arguments)
    ]


def _kind(call: str, arguments: str) -> str:
    if call in _READS:
        return "change" if _WRITES.search(arguments) else "read"
    return {"connect": "connect", "execve": "run", "execveat": "run"}.get(call, "change")


def parse(lines: Sequence[str], folder: str) -> Iterator[Access]:
    """Read the trace of one process that began in `folder`."""
    for line in lines:
        matched = _LINE.match(line)
        if matched is None:
            continue
        call, arguments, result = matched.groups()
        if inside := _FOLDER.search(arguments):
            folder = _unescaped(inside[1])
        if result == "?" or int(result) < 0:
            continue
        if call == "chdir":
            folder = _paths(arguments, folder)[0]
        elif call == "connect":
            if "AF_INET" in arguments:
                yield Access("connect", arguments)
        elif call != "fchdir":
            paths = _paths(arguments, folder)
            # A program's arguments look like paths as well.
            for path in paths[:1] if call.startswith("exec") or call in _READS else paths:
                # What was opened, not the link to it.
                yield Access(_kind(call, arguments), os.path.realpath(path) if call in _READS else path)


def _watch(process: subprocess.Popen[str], peak: list[int]) -> None:
    """Note the most memory that a process's children held at once, and end what is far over the time."""
    begun = time.monotonic()
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(process.pid)
        while process.poll() is None:
            held = 0
            for child in root.children(recursive=True):
                with suppress(psutil.Error):
                    held += child.memory_info().rss
            peak[0] = max(peak[0], held)
            if time.monotonic() - begun > _ENDED_AFTER or held > 3 * BYTES:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            time.sleep(_EVERY)


def run(line: Sequence[str], cwd: Path, environment: Mapping[str, str], trace: Path) -> Outcome:
    """Run a command line; `trace` is an empty folder for the traces of its processes."""
    strace = ["strace", "-ff", "--seccomp-bpf", "-y", "-s", "8192", "-e", f"trace={','.join(_CALLS)}"]
    begun, peak = time.monotonic(), [0]
    process = subprocess.Popen(
        [*strace, "-o", str(trace / "of"), "--", *line],
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
        start_new_session=True,
    )
    watcher = threading.Thread(target=_watch, args=(process, peak))
    watcher.start()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    stdout, stderr = process.communicate()
    watcher.join()
    seconds, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    accesses = {
        access
        for file in trace.iterdir()
        for access in parse(file.read_text("utf-8", "replace").splitlines(), str(cwd))
    }
    return Outcome(process.returncode, stdout, stderr, seconds, cpu, peak[0], frozenset(accesses))
