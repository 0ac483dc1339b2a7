"""Build a command line of subcommands, each of which ends as `core.ends` says. Standard library only."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO, TypeVar, cast

import core.telemetry  # noqa: F401  whatever library a command imports onnxruntime by
from core.ends import FAILED, say, status_of

Arguments = TypeVar("Arguments")
_STREAMS = 3


def make_streams_safe() -> None:
    """Let any text be written to any standard stream, and give none of their numbers to a file.

    What an encoding (cp1252, ASCII) lacks is written as an escape. A stream that was closed before the
    process began stays none for Python; a file that got its number would take what libraries print.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    for number in range(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)


def _end(stream: TextIO | None) -> OSError | None:
    """Bring to a stream what is held for it; return why it takes no more, where it does not."""
    try:
        if stream is not None:
            stream.flush()
    except OSError as error:
        # The interpreter would try again as it ends, and end with another status.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), cast(TextIO, stream).fileno())
        return error
    return None


def _is_output_broken() -> bool:
    """Whether standard output takes no more; says so. What standard error takes matters to no status."""
    error = _end(sys.stdout)
    # Who reads no further (| head) knows it.
    if error is not None and not isinstance(error, BrokenPipeError):
        say(f"error: standard output: cannot be written: {error.strerror}")
    _end(sys.stderr)
    return error is not None


def exit_code(run: Callable[[Arguments], object], arguments: Arguments) -> int:
    """Run a command with its arguments; return its exit status, of a failure with one line that says why.

    A command that returns a number ends with it, else with 0. That a library is not installed is left to the
    caller, who knows what brings it.
    """
    make_streams_safe()
    try:
        found = run(arguments)
        status = found if isinstance(found, int) else 0
    except (ImportError, SystemExit):
        raise
    except OSError as error:
        broken = _is_output_broken() or isinstance(error, BrokenPipeError)
        status = FAILED if broken else status_of(error)
    except (Exception, KeyboardInterrupt) as error:
        status = status_of(error)
    return status or (FAILED if _is_output_broken() else 0)


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Says of each option what holds where it is left out."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        # A flag that is not given is not, and what has no value says in words what holds without one.
        without = action.default is None or action.default is False or action.default == []
        if without or "default" in (action.help or ""):
            return action.help
        if isinstance(action.default, list | tuple):
            # As they are typed: several words, or numbers with commas.
            typed = (" " if isinstance(action.default, list) else ",").join(map(str, action.default))
            return f"{action.help} (default: {typed})"
        return super()._get_help_string(action)


def parser(program: str, summary: str) -> argparse.ArgumentParser:
    """Return a parser whose help says each option's default."""
    return argparse.ArgumentParser(prog=program, description=summary, formatter_class=_Help)


class CommandLine:
    """A program of subcommands, each a function of its parsed arguments."""

    def __init__(self, program: str, summary: str) -> None:
        """Name the program as a user calls it, and say in a line what it does."""
        self._parser = parser(program, summary)
        self._commands = self._parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        self, name: str, run: Callable[[Any], object], summary: str, *paths: str
    ) -> argparse.ArgumentParser:
        """Add a subcommand with positional arguments that are paths; return its parser, for options."""
        command = self._commands.add_parser(name, help=summary, description=summary, formatter_class=_Help)
        command.set_defaults(run=run)
        for path in paths:
            command.add_argument(path, type=Path)
        return command

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Run the subcommand that the arguments (of the process, where none are given) name."""
        make_streams_safe()
        parsed = self._parser.parse_args(arguments)
        return exit_code(parsed.run, parsed)
