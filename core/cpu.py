"""The CPU: its class (architecture, vendor, and the instructions by which kernels are chosen), and how many.

As the operating system says: under an emulator in user mode, `/proc/cpuinfo` is the host's.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

_LINUX_FILE = Path("/proc/cpuinfo")
_MAC_COMMAND = ("sysctl", "machdep.cpu", "hw.optional")
# Of x86 and of ARM, as Linux names them.
_INSTRUCTIONS = (
    *("sse4_1", "avx2", "avx512bw", "avx512_vnni", "avx_vnni", "avx_vnni_int8", "amx_int8"),
    *("asimd", "asimddp", "i8mm", "sve"),
)
# As macOS names them.
_MAC_NAMES = {
    **{"SSE4.1": "sse4_1", "AVX2": "avx2", "AVX512BW": "avx512bw", "AVX512VNNI": "avx512_vnni"},
    **{"AdvSIMD": "asimd", "FEAT_DotProd": "asimddp", "FEAT_I8MM": "i8mm"},
}


def usable_cpus() -> int:
    """Return how many CPUs this process may use; all of them where the system cannot tell (macOS)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _mac() -> tuple[dict[str, str], set[str]]:
    try:
        done = subprocess.run(_MAC_COMMAND, capture_output=True, text=True, check=False)
    except OSError:
        return {}, set()
    fields = dict(re.findall(r"^([\w.]+): (.*)$", done.stdout, re.MULTILINE))
    found = {key.rpartition(".")[2] for key, value in fields.items() if value == "1"}
    for key in ("machdep.cpu.features", "machdep.cpu.leaf7_features"):
        found |= set(fields.get(key, "").split())
    vendor, name = (fields.get(f"machdep.cpu.{key}", "") for key in ("vendor", "brand_string"))
    return {"vendor": vendor, "model": name}, {_MAC_NAMES.get(flag, flag) for flag in found}


def _linux() -> tuple[dict[str, str], set[str]]:
    text = _LINUX_FILE.read_text("utf-8", "replace") if _LINUX_FILE.is_file() else ""
    # Of several CPUs the last.
    fields = {key.lower(): value for key, value in re.findall(r"^(\w[\w ]*?)\s*: (.*)$", text, re.MULTILINE)}
    vendor = fields.get("vendor_id") or fields.get("cpu implementer", "")
    flags = f"{fields.get('flags', '')} {fields.get('features', '')}"
    return {"vendor": vendor, "model": fields.get("model name", "")}, set(flags.split())


def _described() -> tuple[dict[str, str], set[str]]:
    return _mac() if platform.system() == "Darwin" else _linux()


def model() -> str:
    """Return the CPU's name, or what the platform has in its place."""
    return _described()[0].get("model") or platform.processor() or platform.machine()


def flags() -> set[str]:
    """Return the names of all that the CPU is said to have; none where the system does not say."""
    return _described()[1]


def class_of() -> str:
    """Return the class of the CPU that this runs on: architecture, vendor and instructions, in one line."""
    named, found = _described()
    known = [name for name in _INSTRUCTIONS if name in found]
    return " ".join([platform.machine(), *filter(None, [named.get("vendor")]), *known])
