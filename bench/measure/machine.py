"""The machine a benchmark ran on, and how much of it others used meanwhile."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CPU_FILE = Path("/proc/cpuinfo")
_STAT_FILE = Path("/proc/stat")
# The columns of a `cpu` line that are not idling: user, nice, system, irq, softirq, steal.
_BUSY = (1, 2, 3, 6, 7, 8)


def describe() -> dict[str, Any]:
    """Return the processor, its int8 instructions, and the versions that are not a contender's own."""
    model = platform.processor() or platform.machine()
    flags: list[str] = []
    if _CPU_FILE.is_file():
        for line in _CPU_FILE.read_text("utf-8").splitlines():
            key, _, value = (part.strip() for part in line.partition(":"))
            model = value if key == "model name" else model
            flags = value.split() if key == "flags" else flags
    return {
        "cpu": model,
        "logical_cpus": os.cpu_count(),
        "int8_instructions": sorted(flag for flag in flags if "vnni" in flag or "amx" in flag),
        "system": platform.system(),
        "python": platform.python_version(),
    }


@dataclass(frozen=True)
class Clock:
    """Seconds at one moment: of the wall, of all CPUs' work, of this process's and its ended children's."""

    wall: float
    busy: float | None
    own: float


def clock(stat: Path = _STAT_FILE) -> Clock:
    """Read the clocks; `busy` is None where the system does not say (not Linux)."""
    busy = None
    if stat.is_file():
        columns = stat.read_text("utf-8").splitlines()[0].split()
        busy = sum(int(columns[index]) for index in _BUSY) / os.sysconf("SC_CLK_TCK")
    used = os.times()
    own = used.user + used.system + used.children_user + used.children_system
    return Clock(time.monotonic(), busy, own)


def busy_elsewhere(start: Clock, end: Clock) -> float | None:
    """Return how many CPUs others kept busy on average, or None where the system does not say."""
    if start.busy is None or end.busy is None:
        return None
    return max((end.busy - start.busy) - (end.own - start.own), 0.0) / (end.wall - start.wall)
