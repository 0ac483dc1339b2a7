"""How much a benchmark runs. Standard library only: the command line, and so each worker, imports it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """How much is run; `texts` is per round and contender, `sweep_rounds` 0 leaves the sweeps out."""

    rounds: int = 7
    texts: int = 64
    threads: tuple[int, ...] = (1, 2)
    sizes: tuple[int, ...] = (1, 8, 32)
    sweep_rounds: int = 3
