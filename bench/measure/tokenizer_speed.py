"""Time tokenizing, as a graph and in Rust: `python -m bench.measure.tokenizer_speed BUILD`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from core import dataset
from core.contract import TEXT_TOKENIZER_FILE
from core.errors import ArtifactError, ToolchainError
from core.timing import spread
from core.untrusted import tokenizer_file
from verify.parity.text_ids import GraphTokenizer

_BATCH_SIZES = (1, 32, 256)
_ROUNDS = 7
# Of one text a call, fewer are enough.
_TEXTS = {1: 512, 32: 2048, 256: 4096}

Encode = Callable[[Sequence[str]], object]


def _microseconds(encode: Encode, texts: Sequence[str], size: int) -> float:
    start = time.perf_counter()
    for begin in range(0, len(texts), size):
        encode(texts[begin : begin + size])
    return (time.perf_counter() - start) / len(texts) * 1e6


def measure(contenders: dict[str, Encode], texts: Sequence[str]) -> dict[int, dict[str, list[float]]]:
    """Time each contender in turns; return batch size → name → microseconds a text, a round each."""
    found: dict[int, dict[str, list[float]]] = {}
    for size in _BATCH_SIZES:
        rounds: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(_ROUNDS + 1):
            for name, encode in contenders.items():
                rounds[name].append(_microseconds(encode, texts[: _TEXTS[size]], size))
        # The first round warms up.
        found[size] = {name: times[1:] for name, times in rounds.items()}
    return found


def table(found: dict[int, dict[str, list[float]]]) -> str:
    """Return medians and ranges as a Markdown table."""
    names = list(next(iter(found.values())))
    lines = [f"| µs a text | {' | '.join(names)} |", f"| --- |{' --- |' * len(names)}"]
    for size, times in found.items():
        spreads = [spread(times[name]) for name in names]
        cells = [f"{one.median:.1f} ({one.low:.1f}–{one.high:.1f})" for one in spreads]
        lines.append(f"| batch {size} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=Path, help="build/NAME, with its tokenizer.onnx")
    arguments = parser.parse_args()
    # Read by the Rust side when it first encodes.
    os.environ["RAYON_NUM_THREADS"] = "1"
    try:
        graph = GraphTokenizer(arguments.build / TEXT_TOKENIZER_FILE, threads=1)
        texts = dataset.read("test", arguments.build / "go_emotions").texts
    except ToolchainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    rust = tokenizer_file.load(arguments.build / "assets" / "tokenizer.json", ArtifactError)
    rust.enable_padding()
    contenders: dict[str, Encode] = {
        "graph": graph.run,
        "tokenizers": lambda batch: rust.encode_batch(list(batch)),
    }
    print(table(measure(contenders, texts)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
