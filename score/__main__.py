"""`python -m score ARTIFACT INPUT OUTPUT`: run an artifact on a corpus, as fast as the machine goes."""

from __future__ import annotations

import core.start  # isort: skip  # noqa: F401  what fails or is interrupted from here on ends in a line

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, TextIO, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

from core import ends
from core.cli import exit_code, parser
from core.contract import VARIANT_FILES
from score.job import Summary, run
from score.options import STREAMED, Options
from score.output.progress import PROGRESS_FILE
from score.output.segments import folder_of

# Python -OO has no docstrings.
_SUMMARY = "Run an artifact on a corpus, as fast as the machine goes."


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.0f} texts/s" if task.speed else "")


class _StandardError:
    """Standard error that may break on the way, which costs the bar and not the work."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)

    def write(self, text: str) -> int:
        with suppress(AttributeError, OSError, ValueError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(AttributeError, OSError, ValueError):
            sys.stderr.flush()


def add_options(line: argparse.ArgumentParser) -> None:
    """Add the command line of a run to a parser, under the names of `Options`."""
    line.add_argument("artifact", type=Path, help="a folder that `make artifact` built")
    line.add_argument(
        "input",
        help="a file, folder or glob of .parquet, .csv, .tsv, .jsonl or .txt (a text a line), those of text "
        "also with .gz; or -: lines of standard input",
    )
    line.add_argument(
        "output",
        type=Path,
        help="written as its ending says: .parquet, .csv, .tsv or .jsonl, those of text also with .gz; or -: "
        "standard output, as --to says",
    )
    line.add_argument("--text-column", default=Options.text_column, help="where the texts are")
    line.add_argument("--delimiter", default=Options.delimiter, help=r"of .csv, read and written; \t: a tab")
    line.add_argument("--to", choices=tuple(STREAMED), help="how standard output is written (default: jsonl)")
    line.add_argument("--probabilities", action="store_true", help="add a column a label")
    line.add_argument(
        "--prefix",
        default=Options.prefix,
        help="begins the names of the columns that are added (default: none)",
    )
    line.add_argument(
        "--variant", choices=sorted(VARIANT_FILES), default=Options.variant, help="of the artifact's graphs"
    )
    line.add_argument("--resume", action="store_true", help="continue where an interrupted run stopped")
    line.add_argument(
        "--engine", choices=("local", "ray"), default=Options.engine, help="this machine, or a Ray cluster"
    )
    line.add_argument("--address", help="the Ray cluster to join (default: RAY_ADDRESS, or a local one)")
    line.add_argument(
        "--threads",
        type=int,
        default=Options.threads,
        help="or actors, with ray; 0: as many as there are CPUs",
    )
    line.add_argument(
        "--checkpoint-seconds",
        type=float,
        default=Options.checkpoint_seconds,
        help="finished work is kept for --resume as often as that",
    )


def _run_with_progress(options: Options) -> Summary:
    bar = (BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    progress = Progress(*bar, console=Console(file=cast(TextIO, _StandardError())))

    def advance(done: int, total: int | None) -> None:
        if not progress.tasks:
            # Not before: of a run that is refused, it would leave an empty line.
            progress.start()
            # What an interrupted run did does not count for the rate of this one.
            progress.add_task("score", total=total, completed=done)
        progress.update(progress.task_ids[0], completed=done)

    try:
        return run(options, advance)
    finally:
        if progress.tasks:
            progress.stop()


def score(arguments: argparse.Namespace) -> int:
    """Score the corpus that the arguments name, and print one line on it; 130 where it is interrupted.

    Raises:
        ToolchainError: the artifact, the input, the output or an option cannot be used.
    """
    options = Options(**{field.name: getattr(arguments, field.name) for field in fields(Options)})
    try:
        summary = _run_with_progress(options)
    except KeyboardInterrupt:
        # Without the list, the folder was only just made, and holds nothing.
        if options.is_streamed or not (folder_of(options.output) / PROGRESS_FILE).exists():
            return ends.interrupted()
        return ends.interrupted("interrupted: finished segments are kept; continue with --resume")
    rate = summary.scored / summary.seconds if summary.seconds else 0.0
    print(
        f"{options.output}: {summary.rows:,} rows; {summary.scored:,} in this run at {rate:,.0f} texts/s, "
        f"of these {summary.null:,} null and {summary.truncated:,} truncated"
        + (
            f"; {summary.replaced:,} texts held bytes that are not UTF-8, read as U+FFFD"
            * bool(summary.replaced)
        )
        + (f"; {summary.skipped:,} files beside the input are none by their names" * bool(summary.skipped)),
        file=sys.stderr if options.is_streamed else sys.stdout,
    )
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Score; return the exit status, of a failure with one line that says why."""
    line = parser("python -m score", _SUMMARY)
    add_options(line)
    return exit_code(score, line.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
