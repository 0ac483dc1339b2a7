"""The speed of two artifacts: interleaved rounds in one process, medians with their spread."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from core.artifact.graph import Graph
from core.errors import BenchmarkError
from core.runtime import TokenIds
from core.timing import Turn, interleave, ratio, spread
from verify.compare.decisions import Side


@dataclass(frozen=True)
class Plan:
    """`rounds` of the first `texts` texts, in batches of each of `sizes`, on `threads` threads."""

    rounds: int = 7
    texts: int = 64
    sizes: tuple[int, ...] = (1, 32)
    threads: int = 1

    def check(self) -> None:
        """Refuse a plan that measures nothing.

        Raises:
            BenchmarkError: a number is below 1.
        """
        if min(self.rounds, self.texts, self.threads, *self.sizes) < 1:
            raise BenchmarkError(f"found {self}, expected every number to be at least 1")


def _seconds(graph: Graph, batches: Sequence[TokenIds]) -> list[float]:
    found = []
    for batch in batches:
        start = time.perf_counter()
        graph.run(batch)
        found.append(time.perf_counter() - start)
    return found


def _turn(graph: Graph, ids: TokenIds, size: int) -> Turn:
    batches = [ids[start : start + size] for start in range(0, len(ids), size)]
    # onnxruntime plans its memory in the first run.
    graph.run(batches[0])
    return lambda _: _seconds(graph, batches)


def measure(a: Side, b: Side, texts: Sequence[str], plan: Plan) -> list[dict[str, Any]]:
    """Time both in turns; a row a batch size: texts/s of both, and their ratio within a round."""
    chosen = list(texts[: plan.texts])
    ids = {"a": a.ids(chosen), "b": b.ids(chosen)}
    rows: list[dict[str, Any]] = []
    for size in plan.sizes:
        turns = {name: _turn(side.graph, ids[name], size) for name, side in (("a", a), ("b", b))}
        totals = {
            name: [sum(seconds) for seconds in rounds]
            for name, rounds in interleave(turns, plan.rounds).items()
        }
        rates = {name: asdict(spread([len(chosen) / s for s in rounds])) for name, rounds in totals.items()}
        rows.append({"batch": size, **rates, "b_times_as_fast_as_a": asdict(ratio(totals["a"], totals["b"]))})
    return rows
