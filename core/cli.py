"""Build a command line of subcommands; an error is one line and exit status 1. Standard library only."""

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
from core.errors import ToolchainError

Arguments = TypeVar("Arguments")
_INTERRUPTED = 130
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


def _say(message: str) -> None:
    # Nobody is left to be told where this fails, too.
    with suppress(OSError, ValueError):
        print(message, file=sys.stderr, flush=True)


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
        _say(f"error: standard output: cannot be written: {error.strerror}")
    _end(sys.stderr)
    return error is not None


def exit_code(run: Callable[[Arguments], object], arguments: Arguments) -> int:
    """Run a command with its arguments; print an error of the toolchain as one line, and return 1.

    A command that returns a number ends with it, else with 0; one that is interrupted with 130.
    """
    make_streams_safe()
    try:
        found = run(arguments)
        status = found if isinstance(found, int) else 0
    except ToolchainError as error:
        status = 1
        _say(f"error: {error}")
    except KeyboardInterrupt:
        status = _INTERRUPTED
        _say("interrupted")
    except OSError as error:
        # Readers and writers name their own files; this is a folder or a device that no command foresaw.
        status = 1
        if not _is_output_broken() and not isinstance(error, BrokenPipeError):
            _say(f"error: {ToolchainError(error)}")
    return status or int(_is_output_broken())


class CommandLine:
    """A program of subcommands, each a function of its parsed arguments."""

    def __init__(self, program: str, summary: str) -> None:
        """Name the program as a user calls it, and say in a line what it does."""
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
        make_streams_safe()
        parsed = self._parser.parse_args(arguments)
        return exit_code(parsed.run, parsed)
