"""Limit this process by the kernel, and ask the kernel what another one took.

On Linux memory (RLIMIT_AS) and time (RLIMIT_CPU, behind the parent's clock) are limited; macOS takes the
limit on memory and does not keep it; Windows has neither.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from core.untrusted import limits

if sys.platform != "win32":
    import resource

_STATUS = Path("/proc/self/status")


def virtual_bytes() -> int:
    """Return how much memory this process has mapped; 0 where the kernel does not tell."""
    if _STATUS.is_file():
        for line in _STATUS.read_text("utf-8").splitlines():
            if line.startswith("VmSize:"):
                return int(line.split()[1]) * limits.KIB
    return 0


def cpu_seconds(pid: int) -> float | None:
    """Return the CPU time that a process has taken; None where the kernel does not tell, or it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return None


class Limits:
    """The limits of this process, which rise with what it is asked for and never fall."""

    def __init__(self) -> None:
        """Keep what the libraries have taken so far, and no core file."""
        self._taken, self._memory = virtual_bytes(), 0
        if sys.platform != "win32":
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            self._hard = resource.getrlimit(resource.RLIMIT_AS)

    def allow(self, memory: int, seconds: float) -> None:
        """Allow `memory` bytes beside what the libraries took, and `seconds` of CPU from now on."""
        if sys.platform == "win32":
            return
        self._memory = max(self._memory, memory)
        if self._taken:
            room = self._taken + self._memory + limits.THREAD_BYTES * (os.cpu_count() or 1)
            resource.setrlimit(resource.RLIMIT_AS, (_least(room, *self._hard), self._hard[1]))
        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        most = int(used + seconds * (os.cpu_count() or 1)) + 1
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (_least(most, hard), hard))


def _least(*stated: int) -> int:
    return min(number for number in stated if number != resource.RLIM_INFINITY)
