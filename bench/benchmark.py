"""`python -m bench.benchmark RECIPE BUILD`: this project's graphs against the ways people run the pair.

Writes `bench.json`, `bench.md`, `throughput.svg` and `cost.svg` to BUILD/bench; prints the table.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from bench.contenders.contenders import BENCH_FOLDER, contenders
from bench.measure import machine as bench_machine
from bench.measure.floor import read_products, read_shape
from bench.measure.run import Encoder, Plan, run
from bench.report import markdown
from core import dataset
from core.artifact import tokens
from core.build.facts import EncoderInfo
from core.disk.files import write_text
from core.errors import BenchmarkError, ToolchainError
from core.untrusted import json_file


def _peer(path: Path) -> Any:
    """Return what `python -m bench.contenders.optimum` wrote of who made the contender `optimum`."""
    return json_file.read(path, BenchmarkError)


def _numbers(text: str) -> tuple[int, ...]:
    found = tuple(int(part) for part in text.split(","))
    if min(found) < 1:
        raise ValueError(text)
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.benchmark", description=__doc__.split("\n")[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("build", type=Path)
    parser.add_argument("--rounds", type=int, default=Plan.rounds)
    parser.add_argument("--texts", type=int, default=Plan.texts, help="a round and contender")
    parser.add_argument("--threads", type=_numbers, default=Plan.threads, help="such as 1,2")
    parser.add_argument("--sizes", type=_numbers, default=Plan.sizes, help="batch sizes, such as 1,8,32")
    parser.add_argument("--sweep-rounds", type=int, default=Plan.sweep_rounds, help="0: no sweeps")
    return parser.parse_args()


def benchmark(recipe_folder: Path, build: Path, plan: Plan) -> dict[str, Any]:
    """Run the benchmark of a finished build.

    Returns:
        The content of `bench.json`.

    Raises:
        ToolchainError: a file of the build is missing, the data set cannot be had, or a contender fails.
    """
    bench = build / BENCH_FOLDER
    listed = contenders(recipe_folder, build)
    for one in listed:
        # All of them before the first is started.
        one.command(1)
    peer = _peer(bench / "optimum.json")
    info = EncoderInfo.read(build / "encoder.json")
    encoder = Encoder(read_shape(build), info.max_length, read_products(bench / "products"))
    ids = tokens.encode(
        build / "assets" / "tokenizer.json", dataset.read("test", build / "go_emotions").texts
    )
    start = bench_machine.clock()
    found = run(listed, encoder, ids, plan, lambda line: print(f"  bench    {line}", flush=True))
    elsewhere = bench_machine.busy_elsewhere(start, bench_machine.clock())
    machine = {**bench_machine.describe(), "cpus_busy_elsewhere": elsewhere}
    ways = {one.name: {"way": one.way, "precision": one.precision} for one in listed}
    header = {"recipe": recipe_folder.resolve().name, "data": "GoEmotions test, natural order"}
    return {**header, "machine": machine, "contenders": ways, "optimum": peer, **found}


def main() -> int:
    """Measure, write and print; 1 where it fails, with one line that says why."""
    arguments = _arguments()
    plan = Plan(arguments.rounds, arguments.texts, arguments.threads, arguments.sizes, arguments.sweep_rounds)
    try:
        found = benchmark(arguments.recipe, arguments.build, plan)
        bench = arguments.build / BENCH_FOLDER
        write_text(bench / "bench.json", json.dumps(found, indent=2, ensure_ascii=False) + "\n")
        text = markdown.markdown(found)
        write_text(bench / "bench.md", text)
        print(f"\n{text}")
        # Drawing takes a second to import, and nothing else here needs it.
        from bench.report import plot

        write_text(bench / "throughput.svg", plot.throughput(found))
        if "by_length" in found:
            write_text(bench / "cost.svg", plot.cost(found))
    except ToolchainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
