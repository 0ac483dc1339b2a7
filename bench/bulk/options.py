"""The command line of the measurements. Standard library only: workers of the benchmark import it, too."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

DEFAULT_RECIPE = Path("recipes/minilm-l6-go-emotions")


def add(parser: ArgumentParser) -> None:
    """Add the measurements to a command's parser, each with an artifact and options of its own."""
    commands = parser.add_subparsers(required=True, dest="measurement", metavar="MEASUREMENT")

    def one(name: str, summary: str, *texts: str) -> ArgumentParser:
        command = commands.add_parser(
            name, help=summary, description=summary, formatter_class=parser.formatter_class
        )
        command.add_argument("artifact", type=Path)
        for text in texts:
            command.add_argument(text)
        command.add_argument("--variant", default="int8", help="of the artifact's graphs")
        if name != "once":
            command.add_argument("--split", default="train", help="of the data")
            command.add_argument("--recipe", type=Path, default=DEFAULT_RECIPE, help="whose data to take")
            command.add_argument("--join", type=int, default=1, help="so many texts to one, for long ones")
            command.add_argument(
                "--rows", type=int, help="the first ones, or texts drawn again (default: all once)"
            )
        if name in ("sweep", "rate", "against"):
            command.add_argument("--rounds", type=int, default=2, help="in turns")
        return command

    one("sweep", "the graph by itself, by batch size and threads")
    rate = one("rate", "the whole way beside the graph by itself")
    rate.add_argument("--tokens", type=int, help="the graph's best batch (default: the scorer's)")
    edges = one("edges", "reading and writing alone")
    edges.add_argument("--probabilities", action="store_true", help="write a column a label")
    one("alone", "answers in bulk beside those of one text at a time")
    memory = one("memory", "resident memory of a long run")
    memory.add_argument("--seconds", type=float, default=1200.0, help="at most")
    kills = one("kills", "runs killed at random moments and resumed")
    kills.add_argument("--kills", type=int, default=10, help="how many")
    often = "how often finished work is kept"
    kills.add_argument("--checkpoint-seconds", type=float, default=0.0, help=often)
    one("against", "another command, a line that is given the file of texts, in turns with ours", "other")
    one("once", "score a file and print its time", "file")
