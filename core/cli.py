"""Build a command line of subcommands; an error is one line and exit status 1. Standard library only."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from core.errors import ToolchainError

Arguments = TypeVar("Arguments")


def exit_code(run: Callable[[Arguments], object], arguments: Arguments) -> int:
    """Run a command with its arguments; print an error of the toolchain as one line, and return 1.

    A command that returns a number ends with it, else with 0.
    """
    try:
        status = run(arguments)
    except ToolchainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return status if isinstance(status, int) else 0


class CommandLine:
    """A program of subcommands, each a function of its parsed arguments."""

    def __init__(self, program: str, description: str | None) -> None:
        """Name the program as a user calls it; of the description the first line is shown."""
        summary = (description or "").split("\n")[0]
        self._parser = argparse.ArgumentParser(prog=program, description=summary)
        self._commands = self._parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        self, name: str, run: Callable[[Any], object], summary: str, *paths: str
    ) -> argparse.ArgumentParser:
        """Add a subcommand with positional arguments that are paths; return its parser, for options."""
        parser = self._commands.add_parser(name, help=summary, description=summary)
        parser.set_defaults(run=run)
        for path in paths:
            parser.add_argument(path, type=Path)
        return parser

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Run the subcommand that the arguments (of the process, where none are given) name."""
        parsed = self._parser.parse_args(arguments)
        return exit_code(parsed.run, parsed)
