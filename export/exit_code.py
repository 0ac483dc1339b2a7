"""What a command line ends with: 0, or 1 and one line that says why. Standard library only."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

from export.contract import ToolchainError

Arguments = TypeVar("Arguments")


def exit_code(run: Callable[[Arguments], object], arguments: Arguments) -> int:
    """Run a command with its arguments; print an error of the toolchain as one line."""
    try:
        run(arguments)
    except ToolchainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
