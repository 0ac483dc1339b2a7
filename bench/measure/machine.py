"""The machine a benchmark ran on, and how much of it others used meanwhile."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from typing import Any

import psutil

from core import cpu

_BUSY = ("user", "nice", "system", "irq", "softirq", "steal")


def describe() -> dict[str, Any]:
    """Return the processor, its int8 instructions, and the versions that are not a contender's own."""
    return {
        "cpu": cpu.model(),
        "logical_cpus": psutil.cpu_count(),
        "int8_instructions": sorted(flag for flag in cpu.flags() if "vnni" in flag or "amx" in flag),
        "system": platform.system(),
        "python": platform.python_version(),
    }


@dataclass(frozen=True)
class Clock:
    """Seconds at one moment: of the wall, of all CPUs' work, of this process's and its ended children's."""

    wall: float
    busy: float
    own: float


def clock() -> Clock:
    """Read the clocks; idling and waiting for a disk are not work."""
    cpus, own = psutil.cpu_times(), os.times()
    busy = sum(getattr(cpus, name, 0.0) for name in _BUSY)
    children = own.children_user + own.children_system
    return Clock(time.monotonic(), busy, own.user + own.system + children)


def busy_elsewhere(start: Clock, end: Clock) -> float | None:
    """Return how many CPUs others kept busy on average; None on Windows, which counts no ended children."""
    if psutil.WINDOWS:
        return None
    return max((end.busy - start.busy) - (end.own - start.own), 0.0) / (end.wall - start.wall)
