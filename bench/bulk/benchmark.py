"""`python -m bench.bulk.benchmark COMMAND ARTIFACT …`: the numbers of docs/bulk.md, as JSON.

``sweep`` and ``rate`` measure the graph by itself and the whole way on GoEmotions train, ``edges`` times
reading and writing, ``alone`` compares the answers with those of one text at a time, ``memory`` and ``kills``
run the command on texts drawn again, ``against`` runs another command in turns with it, ``nodes`` runs Ray on
simulated nodes; ``once`` scores a file and prints its time.
"""

from __future__ import annotations

import argparse
import json
import random
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.bulk import local, process
from core import dataset
from core.errors import ToolchainError
from score.job import run
from score.options import Options
from score.scorer import BATCH_TOKENS


def _once(options: Options, arguments: argparse.Namespace) -> Any:
    given = replace(options, input=arguments.file)
    # The first run loads the model; the second is what a long run's every window costs.
    run(given)
    found = run(given)
    return {"texts": found.rows, "seconds": found.seconds}


def _nodes(options: Options, arguments: argparse.Namespace) -> Any:
    # An extra, in an environment of its own.
    from bench.bulk import ray_cluster

    carried = ray_cluster.object_store(options)
    return {"bytes_a_text": carried, "nodes": ray_cluster.scaling(options, arguments.nodes)}


def _texts(split: str, rows: int | None, scratch: Path) -> Sequence[str]:
    """Return the split's texts, the first `rows` of them, or as many as asked for, drawn again."""
    texts = dataset.read(split, scratch / "go_emotions").texts
    if rows is None or rows <= len(texts):
        return texts[:rows]
    return random.Random(0).choices(texts, k=rows)


def _measure(arguments: argparse.Namespace, scratch: Path) -> Any:
    options = Options(arguments.artifact, "", scratch / "out.parquet", variant=arguments.variant)
    if arguments.command == "once":
        return _once(options, arguments)
    texts = _texts(arguments.split, arguments.rows, scratch)
    options = replace(options, input=str(local.write_texts(scratch / "in.parquet", texts)))
    if arguments.command == "sweep":
        return local.sweep(options, texts, arguments.rounds)
    if arguments.command == "rate":
        return local.rate(options, texts, arguments.tokens, arguments.rounds)
    if arguments.command == "edges":
        return local.edges(replace(options, probabilities=arguments.probabilities))
    if arguments.command == "alone":
        return local.alone(options, texts)
    if arguments.command == "memory":
        return process.memory(options, arguments.seconds)
    if arguments.command == "kills":
        return process.kills(options, arguments.kills)
    if arguments.command == "against":
        return process.against(options, shlex.split(arguments.other), arguments.rounds)
    return _nodes(options, arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.bulk.benchmark", description=__doc__.split("\n")[0]
    )
    commands = parser.add_subparsers(required=True, dest="command")
    added = {}
    for name in ("sweep", "rate", "edges", "alone", "memory", "kills", "against", "nodes", "once"):
        added[name] = commands.add_parser(name)
        added[name].add_argument("artifact", type=Path)
        added[name].add_argument("--variant", default=Options.variant)
        if name != "once":
            added[name].add_argument("--split", default="train", help="of GoEmotions")
            added[name].add_argument("--rows", type=int, help="the first ones, or texts drawn again")
    for name in ("sweep", "rate", "against"):
        added[name].add_argument("--rounds", type=int, default=2)
    added["once"].add_argument("file")
    added["rate"].add_argument("--tokens", type=int, default=BATCH_TOKENS, help="the graph's best batch")
    added["edges"].add_argument("--probabilities", action="store_true")
    added["memory"].add_argument("--seconds", type=float, default=1200.0)
    added["kills"].add_argument("--kills", type=int, default=10)
    added["against"].add_argument("other", help="a command line; it is given the file of texts")
    added["nodes"].add_argument("--nodes", type=int, nargs="+", default=[1, 2, 4])
    return parser


def main() -> int:
    """Measure and print; 1 where it fails, with one line that says why."""
    arguments = _parser().parse_args()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            found = _measure(arguments, Path(scratch))
            print(json.dumps(found, indent=None if arguments.command == "once" else 1))
    except ToolchainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
