"""Benchmarks against others, and the processes they start: `python -m bench COMMAND`.

Imports stay in the commands: a worker must not load the libraries of another.
"""

from __future__ import annotations

import core.start  # isort: skip  # noqa: F401  what fails or is interrupted from here on ends in a line

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from bench.bulk import options
from bench.measure.plan import Plan
from core.cli import CommandLine
from core.contract import VARIANT_FILES


def _graphs(arguments: Namespace) -> None:
    from bench.contenders import contenders
    from bench.contenders.bare_products import PRODUCTS
    from bench.measure import machine
    from bench.measure.floor import read_shape
    from bench.measure.run import Setup, run
    from bench.report import markdown, plot
    from core import recipe as recipes
    from core.artifact import tokens
    from core.build.facts import EncoderInfo
    from core.disk.files import write_text
    from core.errors import BenchmarkError
    from core.untrusted import json_file

    recipe, build = arguments.recipe, arguments.build
    data = recipes.required_data(recipes.load(recipe), recipe, build)
    folder = build / contenders.BENCH_FOLDER
    listed, bare_products = (
        [
            *contenders.contenders(recipe, build, arguments.share),
            *([contenders.nncf(build, arguments.nncf)] if arguments.nncf else []),
            *contenders.peers(arguments.peers),
        ],
        contenders.bare_products(build),
    )
    plan = Plan(**{each.name: getattr(arguments, each.name) for each in fields(Plan)})
    listed = [each for each in listed if each.least_threads <= max(plan.threads)]
    for contender in (*listed, bare_products):
        # All of them before the first is started.
        contender.command(1)
    result: dict[str, Any] = {
        "recipe": recipe.resolve().name,
        "data": f"{data.title} test, natural order",
        "machine": machine.describe(),
        "contenders": {each.name: {"way": each.way, "precision": each.precision} for each in listed},
        "optimum": json_file.read(folder / "optimum.json", BenchmarkError),
    }
    length = EncoderInfo.read(build / "encoder.json").max_length
    setup = Setup(listed, bare_products, PRODUCTS, read_shape(build), length)
    texts = data.read("test").texts
    ids = tokens.encode(build / "assets" / "tokenizer.json", texts)
    start = machine.clock()
    result |= run(setup, ids, plan, lambda line: print(f"  bench    {line}", flush=True))
    result["machine"]["cpus_busy_elsewhere"] = machine.busy_elsewhere(start, machine.clock())
    text = markdown.markdown(result)
    write_text(folder / "bench.json", json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    write_text(folder / "bench.md", text)
    write_text(folder / "throughput.svg", plot.throughput(result))
    if "by_length" in result:
        write_text(folder / "cost.svg", plot.cost(result))
    print(f"\n{text}")


def _tokenizer(arguments: Namespace) -> None:
    from bench.measure import tokenizer_speed
    from bench.report import markdown

    print(markdown.tokenizers(tokenizer_speed.run(arguments.recipe, arguments.build)))


def _profile(arguments: Namespace) -> None:
    from bench.measure import cores, machine, profile
    from bench.report import markdown
    from core import recipe as recipes
    from core.artifact import tokens

    recipe, build = arguments.recipe, arguments.build
    data = recipes.required_data(recipes.load(recipe), recipe, build)
    ids = tokens.encode(build / "assets" / "tokenizer.json", data.read("test").texts[: arguments.texts])
    found = machine.describe()
    places = [(threads, size) for size in arguments.sizes for threads in arguments.threads]
    file = build / Path(VARIANT_FILES[arguments.variant]).name
    measured = {place: profile.profile(file, ids, place[1], place[0]) for place in places}
    print(f"{file}, {found['cpu']} with {', '.join(found['int8_instructions']) or 'no int8 instructions'}:")
    print(f"\n{markdown.profiles(measured)}")
    if (cpus := max(arguments.threads)) > 1:
        scaled = {size: cores.scaling(file, ids, size, cpus) for size in arguments.sizes}
        print(f"\n{markdown.scalings(scaled)}")


def _optimum(arguments: Namespace) -> None:
    from bench.contenders import dynamic_int8

    environment = Path(arguments.venv) if arguments.venv else None
    made = dynamic_int8.quantize(arguments.source, arguments.target, environment)
    reason = f" ({made.reason})" if made.reason else ""
    print(f"  bench    optimum    dynamic int8 by {made.way}{reason}")


def _nncf(arguments: Namespace) -> None:
    from bench.contenders import openvino_nncf

    said = openvino_nncf.make(arguments.recipe, arguments.build, arguments.python)
    print(f"  bench    nncf       {said}")


def _nncf_quantize(arguments: Namespace) -> None:
    from bench.contenders import openvino_nncf

    openvino_nncf.quantize(arguments.source, arguments.target, sys.stdin.read())


def _openvino(arguments: Namespace) -> None:
    from bench.contenders import openvino_nncf
    from bench.contenders.protocol import serve

    serve(lambda: openvino_nncf.load(arguments.file, arguments.threads))


def _guarded(arguments: Namespace) -> None:
    from bench.contenders import contenders, guarded

    target = arguments.build / contenders.BENCH_FOLDER / contenders.GUARDED_FILE
    margin = guarded.write(arguments.recipe, arguments.build, arguments.share, arguments.texts, target)
    print(f"  bench    guarded    margin {margin:.4f}: {arguments.share:.1%} of the texts are asked twice")


def _products(arguments: Namespace) -> None:
    from bench.contenders import bare_products

    bare_products.write(arguments.folder)


def _published_head(arguments: Namespace) -> None:
    from core.contract import HEAD_FILE
    from core.disk.files import write_bytes
    from core.errors import HeadError
    from core.untrusted import limits, regular_file
    from export.sources.resolve import Sources

    head = Sources(arguments.recipe).head
    write_bytes(arguments.target, regular_file.read(head.file(HEAD_FILE), limits.HEAD_BYTES, HeadError))


def _random_encoder(arguments: Namespace) -> None:
    from bench.contenders import random_encoder
    from core import recipe
    from core.errors import BenchmarkError

    shape = random_encoder.SHAPES.get(arguments.shape)
    if shape is None:
        known = ", ".join(random_encoder.SHAPES)
        raise BenchmarkError(f"--shape: found {arguments.shape!r}, expected one of {known}")
    random_encoder.write(arguments.folder, recipe.load(arguments.recipe).labels.names, shape)
    layers, hidden = shape.num_hidden_layers, shape.hidden_size
    print(f"  bench    random     {layers} layers, {hidden} hidden, and a head; seeded random weights")


def _bulk(arguments: Namespace) -> None:
    from bench.bulk import measurements

    result = measurements.measure(arguments)
    # Of `once` the last line is read by `against`.
    print(json.dumps(result, indent=None if arguments.measurement == "once" else 1))


def _torch(arguments: Namespace) -> None:
    from bench.contenders import torch_pair
    from bench.contenders.protocol import serve

    sources = torch_pair.sources(arguments.recipe, arguments.build)
    serve(lambda: torch_pair.load(*sources, arguments.threads))


def _graph(arguments: Namespace) -> None:
    from bench.contenders import onnx_models
    from bench.contenders.protocol import serve

    build, file, threads = arguments.build, arguments.file, arguments.threads
    serve(lambda: onnx_models.graph(build, file, threads, divided=arguments.divided))


def _card(arguments: Namespace) -> None:
    from bench.contenders import onnx_models
    from bench.contenders.protocol import serve

    serve(lambda: onnx_models.card(arguments.build, arguments.head, arguments.threads))


def _bare_products(arguments: Namespace) -> None:
    from bench.contenders import onnx_models
    from bench.contenders.protocol import serve

    serve(lambda: onnx_models.bare_products(arguments.files, arguments.threads))


def _counts(text: str) -> tuple[int, ...]:
    counts = tuple(map(int, text.split(",")))
    if min(counts) < 1:
        raise ValueError(text)
    return counts


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status, of a failure with one line that says why."""
    line = CommandLine("python -m bench", "Benchmarks against others, and the processes they start.")
    graphs = line.add("graphs", _graphs, "measure a build's graphs against others", "recipe", "build")
    for name, kind, summary in (
        ("--rounds", int, "of all contenders"),
        ("--texts", int, "per round and contender"),
        ("--threads", _counts, "such as 1,2"),
        ("--sizes", _counts, "batch sizes, such as 1,8,32"),
        ("--sweep-rounds", int, "0: no sweeps"),
    ):
        default = getattr(Plan, name.removeprefix("--").replace("-", "_"))
        graphs.add_argument(name, type=kind, default=default, help=summary)
    share = "of texts that the contender guarded asks twice"
    graphs.add_argument("--share", type=float, help=f"{share} (default: what the recipe's margins say)")
    peers = "build folders of models of other shapes, to run in the same rounds (default: none)"
    graphs.add_argument("--peers", type=Path, nargs="*", default=[], metavar="FOLDER", help=peers)
    nncf = "of the environment of NNCF and OpenVINO (default: without them)"
    graphs.add_argument("--nncf", type=Path, metavar="PYTHON", help=nncf)
    line.add("nncf", _nncf, "write the contender nncf; say what it flips", "recipe", "build", "python")
    quantizing = "quantize with NNCF, in its environment; `nncf` starts it"
    line.add("nncf-quantize", _nncf_quantize, quantizing, "source", "target")
    guarded = line.add("guarded", _guarded, "write a guarded graph of one margin", "recipe", "build")
    guarded.add_argument("--share", type=float, required=True, help=share)
    guarded.add_argument("--texts", type=int, default=1000, help="of test, which the share is of")
    profile = line.add("profile", _profile, "tell where a graph's time goes", "recipe", "build")
    profile.add_argument("--variant", default="int8", choices=VARIANT_FILES, help="whose graph")
    profile.add_argument("--threads", type=_counts, default=(1, 2), help="such as 1,2")
    profile.add_argument("--sizes", type=_counts, default=(1, 8, 32), help="batch sizes, such as 1,8,32")
    profile.add_argument("--texts", type=int, default=128, help="of test, in natural order")
    line.add("tokenizer", _tokenizer, "time the tokenizer's graph beside the Rust one", "recipe", "build")
    options.add(line.add("bulk", _bulk, "measure how an artifact scores many texts"))
    optimum = line.add("optimum", _optimum, "write the graph of the contender optimum", "source", "target")
    optimum.add_argument("--venv", help="optimum's environment (default, and where empty: without optimum)")
    line.add("products", _products, "write bare matrix products, one per graph", "folder")
    line.add("published-head", _published_head, "copy the published head's ONNX file", "recipe", "target")
    random_encoder = line.add(
        "random-encoder",
        _random_encoder,
        "write an encoder of a published shape with random weights, and a head",
        "recipe",
        "folder",
    )
    random_encoder.add_argument("--shape", default="bge-small", help="such as roberta-base")
    summary = "run a contender's process; `graphs` starts it"
    torch = line.add("torch", _torch, summary, "recipe", "build")
    graph = line.add("graph", _graph, summary, "build", "file")
    divided = "batches between so many callers of a session of one thread (default: a session of so many)"
    graph.add_argument("--divided", action="store_true", help=divided)
    card = line.add("card", _card, summary, "build", "head")
    products = line.add("bare-products", _bare_products, summary)
    engine = line.add("openvino", _openvino, summary, "file")
    products.add_argument("files", nargs="+", type=Path)
    for worker in (torch, graph, card, products, engine):
        worker.add_argument("--threads", type=int, required=True, help="of the session")
    return line.main(arguments)


if __name__ == "__main__":
    sys.exit(main())
