"""Run an untrusted graph for the first time in a process of its own, of limited memory and time.

`python -m core.untrusted.trial FILE ROWS COLUMNS` opens a checked ONNX file, runs it once on zeros, and
prints a line of JSON. What its shapes ask for shows only when it runs, and a runtime that crashes takes
that process alone. The limits are the kernel's (RLIMIT_AS, RLIMIT_CPU): on Linux both hold, on
macOS that of time, on Windows only the parent's clock.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from core import runtime
from core.errors import ToolchainError
from core.untrusted import json_file, limits

if sys.platform != "win32":
    import resource

Axes = tuple[int, int]

_STATUS = Path("/proc/self/status")
_TYPES: dict[str, type[np.generic]] = {
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}


def _virtual_bytes() -> int:
    if _STATUS.is_file():
        for line in _STATUS.read_text("utf-8").splitlines():
            if line.startswith("VmSize:"):
                return int(line.split()[1]) * limits.KIB
    return 0


def _limit(size: int) -> None:
    """Limit this process, for a file of `size` bytes."""
    if sys.platform == "win32":
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    seconds = limits.TRIAL_CPU_SECONDS + size // limits.TRIAL_CPU_BYTES_PER_SECOND
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + seconds, int(used) + seconds + 1))
    taken = _virtual_bytes()
    if taken:
        room = taken + limits.TRIAL_BYTES + limits.TRIAL_FILE_FACTOR * size
        resource.setrlimit(resource.RLIMIT_AS, (room, room))


def _inputs(session: Any, open_axes: Axes) -> dict[str, np.ndarray]:
    zeros = {}
    for value in session.get_inputs():
        shape = [
            stated if isinstance(stated, int) and stated > 0 else open_axes[min(axis, 1)]
            for axis, stated in enumerate(value.shape)
        ]
        if value.type not in _TYPES:
            raise ValueError(f"input {value.name} is a {value.type}")
        if np.prod(shape, dtype=float) > limits.TRIAL_ELEMENTS:
            raise ValueError(f"input {value.name} has shape {shape}")
        zeros[value.name] = np.zeros(shape, _TYPES[value.type])
    return zeros


def attempt(path: Path, open_axes: Axes) -> str | None:
    """Open and run a graph in this process, under the limits; return what is wrong, or None."""
    _limit(path.stat().st_size)
    try:
        session = runtime.open_session(path, threads=1, log_severity=runtime.LOG_NOTHING)
    except ToolchainError as error:
        # The parent names the file as its caller does.
        return str(error).removeprefix(f"{path}: ")
    try:
        session.run(None, _inputs(session, open_axes))
    except Exception as error:  # onnxruntime's exceptions share no other base
        return f"onnxruntime does not run it on {'×'.join(map(str, open_axes))} zeros: {error}"
    return None


def spawn(path: Path, open_axes: Axes) -> tuple[int, str]:
    """Run `attempt` in a process of its own; return its exit code and its output."""
    command = [sys.executable, "-m", "core.untrusted.trial", str(path.absolute()), *map(str, open_axes)]
    home, wall = Path(__file__).parent.parent.parent, limits.TRIAL_WALL_SECONDS
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    try:
        finished = subprocess.run(
            command, cwd=home, stdin=null, stdout=pipe, stderr=null, check=False, timeout=wall
        )
    except subprocess.TimeoutExpired:
        return -1, ""
    return finished.returncode, finished.stdout.decode("utf-8", "replace")


def check(path: Path, error: type[ToolchainError], open_axes: Axes = (1, 3)) -> None:
    """Try a checked ONNX file.

    Args:
        error: what is raised.
        open_axes: sizes of the first and of other axes of its inputs, where it leaves them open.

    Raises:
        error: it does not load or run, not within the limits, or takes the process with it.
    """
    code, output = spawn(path, open_axes)
    if code != 0 or not output:
        most = f"{limits.TRIAL_CPU_SECONDS} s and {limits.TRIAL_BYTES // limits.MIB} MB beside its size"
        raise error(f"{path}: refused: a first run ended with code {code}; it may take {most}")
    problem = json_file.loads(output, path, error)
    if problem is not None:
        raise error(f"{path}: {problem}")


def main() -> None:
    """Try the file of the command line."""
    rows, columns = map(int, sys.argv[2:])
    print(json.dumps(attempt(Path(sys.argv[1]), (rows, columns))))


if __name__ == "__main__":
    main()
