"""Run what only an environment of its own can: its Python, with a limit on its time."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

TIMEOUT_SECONDS = 600.0


def output(
    place: Path,
    command: Sequence[str | Path],
    error: type[Exception],
    *,
    given: str | None = None,
    said: str = "",
) -> str:
    """Run a command of an environment; return what it printed.

    Args:
        place: names the environment in errors.
        command: its Python, not resolved: that it is a link is what makes it the environment's.
        error: what to raise.
        given: its standard input.
        said: what comes before its last line in the error's message.

    Raises:
        error: it does not start, takes more than ten minutes, or fails; then the message ends with the last
        line it wrote.
    """
    try:
        ended = subprocess.run(
            command, input=given, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as found:
        raise error(f"{place}: {found}") from found
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or [f"exit status {ended.returncode}"])[-1]
        raise error(f"{said}{last.strip()}")
    return ended.stdout
