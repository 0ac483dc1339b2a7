"""What no graph may answer: each must be an error of the runtime, but for a batch of no texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.contract import ATTENTION_MASK, INPUT_IDS

Feeds = dict[str, NDArray[Any]]
_HUGE = 10**9


def feeds(ids: NDArray[Any], mask: NDArray[Any]) -> Feeds:
    """Return a graph's inputs."""
    return {INPUT_IDS: ids, ATTENTION_MASK: mask}


def refused(vocabulary: int, positions: int) -> Iterator[tuple[str, Feeds]]:
    """Yield inputs that must be refused, and what they are."""
    ones = np.ones((2, 5), np.int64)
    for wrong in (vocabulary, _HUGE, 2**63 - 1, -1, -vocabulary, -vocabulary - 1, -(2**63)):
        ids = ones.copy()
        ids[1, 3] = wrong
        yield f"id {wrong}", feeds(ids, ones)
    longer = np.ones((1, positions + 1), np.int64)
    yield f"a sequence of {positions + 1}", feeds(longer, longer)
    for shape in ((2, 4), (2, 6), (2, 1), (1, 5), (5, 2), (1, 10), (3, 5)):
        other = np.ones(shape, np.int64)
        yield f"ids (2, 5) and a mask {shape}", feeds(ones, other)
        yield f"ids {shape} and a mask (2, 5)", feeds(other, ones)
    for other in (np.array(1), ones[0], ones[None]):
        yield f"ids of rank {other.ndim}", feeds(other, ones)
        yield f"a mask of rank {other.ndim}", feeds(ones, other)
        yield f"both of rank {other.ndim}", feeds(other, other)
    for kind in (np.int32, np.float32, np.bool_, np.uint8):
        yield f"ids of {kind.__name__}", feeds(ones.astype(kind), ones)
        yield f"a mask of {kind.__name__}", feeds(ones, ones.astype(kind))
    yield "no mask", {INPUT_IDS: ones}
    yield "no ids", {ATTENTION_MASK: ones}
    yield "an unknown input", {**feeds(ones, ones), "token_type_ids": ones}


def empty(lengths: tuple[int, ...] = (0, 1, 7)) -> Iterator[tuple[str, Feeds]]:
    """Yield batches of no texts, whose answers have no rows."""
    for length in lengths:
        none = np.ones((0, length), np.int64)
        yield f"no texts of {length} tokens", feeds(none, none)
