"""Who runs in the benchmark: what each is, the files it needs, and how its process is started."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.contenders.bare_products import PRODUCTS, Precision
from core import recipe
from core.contract import VARIANT_FILES
from core.errors import BenchmarkError

BENCH_FOLDER = "bench"
BARE_PRODUCTS = "bare products"
# Of these, the cost of a token is measured by length and by batch size as well.
SWEPT = ("int8", "fp32", "optimum", "fused")
# With a share of the texts that it asks twice; else the recipe's own.
GUARDED_FILE = "guarded.onnx"
NNCF_FILE = "nncf.xml"


@dataclass(frozen=True)
class Contender:
    """One way to run the pair.

    `precision` is that of its matrix products, `arguments` are those of `python -m bench`. A `peer` is
    another model: what it answers, and what its products come to, is compared with nothing. `python` is that
    of its environment. With fewer than `least_threads` it would be another contender over again.
    """

    name: str
    precision: Precision
    way: str
    files: tuple[Path, ...]
    arguments: tuple[str, ...]
    peer: bool = False
    python: Path = Path(sys.executable)
    least_threads: int = 1

    def command(self, threads: int) -> list[str]:
        """Return the command line of its process.

        Raises:
            BenchmarkError: a file of it is missing.
        """
        for file in self.files:
            if not file.is_file():
                raise BenchmarkError(f"contender {self.name}: {file}: no such file")
        # Not resolved: a virtual environment's Python is a link.
        return [str(self.python.absolute()), "-m", "bench", *self.arguments, "--threads", str(threads)]


def bare_products(build: Path) -> Contender:
    """Return the bare matrix products, which run in the same rounds as the contenders."""
    files = tuple(build / BENCH_FOLDER / "products" / product.file for product in PRODUCTS)
    arguments = ("bare-products", *map(str, files))
    return Contender(BARE_PRODUCTS, "fp32", "bare matrix products", files, arguments)


def nncf(build: Path, python: Path) -> Contender:
    """Return OpenVINO with NNCF's int8, in the environment of that Python."""
    file = build / BENCH_FOLDER / NNCF_FILE
    way = "fused and merged, then NNCF's int8 in OpenVINO"
    return Contender("nncf", "int8", way, (file, python), ("openvino", str(file)), python=python)


def peers(builds: Sequence[Path]) -> list[Contender]:
    """Return models of other shapes, each in the dynamic int8 of its build folder, by the folders' names."""
    listed = []
    for build in builds:
        file = build / BENCH_FOLDER / "optimum.onnx"
        way = f"{build.name}'s shape, fused, in optimum's dynamic int8"
        arguments = ("graph", str(build), str(file))
        listed.append(Contender(build.name, "int8", way, (file,), arguments, peer=True))
    return listed


def contenders(recipe_folder: Path, build: Path, share: float | None = None) -> list[Contender]:
    """Return the contenders of a recipe; one whose variant the recipe leaves out is not there.

    With `share`, the contender `guarded` is the graph that `guarded.write` made for it.

    Raises:
        RecipeError: the recipe cannot be read.
    """
    variants = recipe.load(recipe_folder).variants
    bench, encoder = build / BENCH_FOLDER, build / "encoder.onnx"
    head = bench / "head.onnx"

    def graph(name: str, precision: Precision, way: str, file: Path) -> Contender:
        return Contender(name, precision, way, (file,), ("graph", str(build), str(file)))

    def divided(whole: Contender) -> Contender:
        way = f"{whole.name}, each batch divided between the CPUs, which call one session of one thread"
        arguments = (*whole.arguments, "--divided")
        return replace(whole, name=f"{whole.name}-divided", way=way, arguments=arguments, least_threads=2)

    listed = [
        Contender(
            "torch",
            "fp32",
            "torch encoder, then the published head",
            (build / "head.json",),
            ("torch", str(recipe_folder), str(build)),
        ),
        Contender(
            "card",
            "fp32",
            "plain encoder ONNX, numpy pooling, published head: two sessions",
            (encoder, head),
            ("card", str(build), str(head)),
        ),
        graph("fused", "fp32", "fused and merged, padded", build / "merged.onnx"),
        graph(
            "optimum",
            "int8",
            "fused and merged, then optimum's avx512_vnni preset",
            bench / "optimum.onnx",
        ),
        graph("fp32", "fp32", "this project's fp32 variant", build / "model.onnx"),
        graph("int8", "int8", "this project's int8 variant", build / "model_quantized.onnx"),
    ]
    if share is not None:
        way = f"int8, and again in float32 {share:.1%} of the texts"
        listed.append(graph("guarded", "int8", way, bench / GUARDED_FILE))
    elif "guarded" in variants:
        file = build / Path(VARIANT_FILES["guarded"]).name
        listed.append(graph("guarded", "int8", "this project's guarded variant", file))
    listed = [each for each in listed if each.name not in ("fp32", "int8") or each.name in variants]
    return listed + [divided(each) for each in listed if each.name in ("optimum", "int8")]
