"""Time tokenizing, as a graph and in Rust."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from core import recipe as recipes
from core.contract import TEXT_TOKENIZER_FILE
from core.errors import ArtifactError
from core.timing import Spread, Turn, interleave, spread
from core.untrusted import tokenizer_file
from verify.parity.text_ids import GraphTokenizer

_ROUNDS = 7
# Batch size → how many texts; of one text per call, fewer are enough.
_TEXTS = {1: 512, 32: 2048, 256: 4096}
Encode = Callable[[Sequence[str]], object]


def _turn(encode: Encode, texts: Sequence[str], size: int) -> Turn:
    """Return what encodes the texts in batches of `size`, and returns their microseconds per text."""

    def run(_: int) -> list[float]:
        start = time.perf_counter()
        for begin in range(0, len(texts), size):
            encode(texts[begin : begin + size])
        return [(time.perf_counter() - start) / len(texts) * 1e6]

    return run


def measure(contenders: Mapping[str, Encode], texts: Sequence[str]) -> dict[int, dict[str, Spread]]:
    """Time each contender in turns; return batch size → name → microseconds per text."""
    result = {}
    for size, count in _TEXTS.items():
        turns = {name: _turn(encode, texts[:count], size) for name, encode in contenders.items()}
        times = interleave(turns, _ROUNDS + 1)
        # The first round warms up.
        result[size] = {
            name: spread([seconds for (seconds,) in rounds[1:]]) for name, rounds in times.items()
        }
    return result


def contenders(build: Path) -> dict[str, Encode]:
    """Open both tokenizers of a build, each on one thread.

    Raises:
        ToolchainError: one of them is missing or does not load.
    """
    # Read by the Rust side when it first encodes.
    os.environ["RAYON_NUM_THREADS"] = "1"
    graph = GraphTokenizer(build / TEXT_TOKENIZER_FILE, threads=1)
    rust = tokenizer_file.load(build / "assets" / "tokenizer.json", ArtifactError)
    rust.enable_padding()
    return {"graph": graph.run, "tokenizers": lambda batch: rust.encode_batch(list(batch))}


def run(recipe: Path, build: Path) -> dict[int, dict[str, Spread]]:
    """Measure the tokenizers of a build on the test texts of its recipe's data.

    Raises:
        ToolchainError: as `contenders`, or the data set cannot be had.
    """
    data = recipes.required_data(recipes.load(recipe), recipe, build)
    return measure(contenders(build), data.read("test").texts)
