"""Who runs in the benchmark: what each is, the files it needs, and how its process is started."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core import recipe
from core.errors import BenchmarkError

BENCH_FOLDER = "bench"
SWEPT = ("int8", "fp32", "optimum", "fused")
PRODUCTS = "products"


@dataclass(frozen=True)
class Contender:
    """One way to run the pair; `precision` is that of its matrix products."""

    name: str
    precision: Literal["fp32", "int8"]
    way: str
    files: tuple[Path, ...]
    arguments: tuple[str, ...]

    def command(self, threads: int) -> list[str]:
        """Return the command line of its process.

        Raises:
            BenchmarkError: a file of it is missing.
        """
        for file in self.files:
            if not file.is_file():
                raise BenchmarkError(f"contender {self.name}: {file}: no such file")
        return [sys.executable, "-m", *self.arguments, "--threads", str(threads)]


def products(files: Sequence[Path]) -> Contender:
    """Return the bare matrix products, which run in the same rounds as the contenders."""
    arguments = ("bench.contenders.worker", "products", *map(str, files))
    return Contender(PRODUCTS, "fp32", "bare matrix products", tuple(files), arguments)


def contenders(recipe_folder: Path, build: Path) -> list[Contender]:
    """Return the contenders of a recipe; one whose variant the recipe leaves out is not there.

    Raises:
        RecipeError: the recipe cannot be read.
    """
    variants = recipe.load(recipe_folder).variants
    bench = build / BENCH_FOLDER
    head, peer, merged = bench / "head.onnx", bench / "optimum.onnx", build / "merged.onnx"
    ours = {"fp32": build / "model.onnx", "int8": build / "model_quantized.onnx"}

    def graph(file: Path) -> tuple[str, ...]:
        return ("bench.contenders.worker", "graph", str(build), str(file))

    pair = ("bench", "torch", str(recipe_folder), str(build))
    card = ("bench.contenders.worker", "card", str(build), str(head))
    listed = [
        Contender("torch", "fp32", "torch encoder, then the published head", (build / "head.json",), pair),
        Contender(
            "card",
            "fp32",
            "plain encoder ONNX, numpy pooling, published head: two sessions",
            (build / "encoder.onnx", head),
            card,
        ),
        Contender("fused", "fp32", "fused and merged, padded", (merged,), graph(merged)),
        Contender(
            "optimum", "int8", "fused and merged, then optimum's avx512_vnni preset", (peer,), graph(peer)
        ),
        Contender("fp32", "fp32", "this project's fp32 variant", (ours["fp32"],), graph(ours["fp32"])),
        Contender("int8", "int8", "this project's int8 variant", (ours["int8"],), graph(ours["int8"])),
    ]
    return [one for one in listed if one.name not in ours or one.name in variants]
