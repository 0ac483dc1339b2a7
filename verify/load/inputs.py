"""Make inputs for a graph under load: random batches, and what it must refuse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.contract import ATTENTION_MASK, INPUT_IDS
from core.runtime import feeds

Feeds = dict[str, NDArray[Any]]

LARGEST_BATCH = 128
_TOKENS = 1024
# One batch in so many keeps to no budget, within the largest size and length.
_UNBOUNDED_EVERY = 500
_UNBOUNDED_TOKENS = 16_384
_OTHER_NUMBERS = (-(2**63), -1, 2, 7, 256, 2**32, 2**63 - 1)
_KINDS = ("all", "right", "left", "holes", "one", "some rows empty", "all empty", "other numbers")
_HUGE_ID = 10**9


def _mask(random: np.random.Generator, batch: int, sequence: int) -> NDArray[np.int64]:
    columns = np.arange(sequence)
    lengths = random.integers(1, sequence + 1, (batch, 1))
    holes = random.random((batch, sequence)) < random.random()
    kind = _KINDS[random.integers(len(_KINDS))]
    kept = {
        "all": np.ones((batch, sequence), bool),
        "right": columns < lengths,
        "left": columns >= sequence - lengths,
        "one": columns == random.integers(0, sequence, (batch, 1)),
        "some rows empty": holes & (random.random((batch, 1)) < 0.5),
        "all empty": np.zeros((batch, sequence), bool),
    }.get(kind, holes)
    mask: NDArray[np.int64] = kept.astype(np.int64)
    if kind == "other numbers":
        mask *= random.choice(np.array(_OTHER_NUMBERS), mask.shape)
    return mask


def _log_uniform(random: np.random.Generator, highest: int) -> int:
    return int(np.exp(random.uniform(0, np.log(highest + 1))))


def _shape(number: int, max_length: int, random: np.random.Generator) -> tuple[int, int]:
    """Return size and length of a batch: the extremes first, then log-uniform, most within a budget."""
    extremes = [(1, 1), (LARGEST_BATCH, 1), (1, max_length), (LARGEST_BATCH // 4, max_length)]
    if number < len(extremes):
        return extremes[number]
    sequence = _log_uniform(random, max_length)
    budget = _UNBOUNDED_TOKENS if number % _UNBOUNDED_EVERY == 0 else _TOKENS
    return _log_uniform(random, min(LARGEST_BATCH, max(budget // sequence, 1))), sequence


def random_batch(seed: int, number: int, vocabulary: int, max_length: int) -> Feeds:
    """Return the batch that a seed and a number name for ever: any id, a mask of any shape."""
    random = np.random.default_rng([seed, number])
    size = _shape(number, max_length, random)
    return feeds(random.integers(0, vocabulary, size), _mask(random, *size))


def refused(vocabulary: int, positions: int) -> Iterator[tuple[str, Feeds]]:
    """Yield inputs that must be an error of the runtime, and what they are."""
    ones = np.ones((2, 5), np.int64)
    for wrong in (vocabulary, _HUGE_ID, 2**63 - 1, -1, -vocabulary, -vocabulary - 1, -(2**63)):
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
        changed: NDArray[Any] = ones.astype(kind)
        yield f"ids of {kind.__name__}", feeds(changed, ones)
        yield f"a mask of {kind.__name__}", feeds(ones, changed)
    yield "no mask", {INPUT_IDS: ones}
    yield "no ids", {ATTENTION_MASK: ones}
    yield "an unknown input", {**feeds(ones, ones), "token_type_ids": ones}


def empty(lengths: tuple[int, ...] = (0, 1, 7)) -> Iterator[tuple[str, Feeds]]:
    """Yield batches of no texts, whose answers have no rows."""
    for length in lengths:
        none = np.ones((0, length), np.int64)
        yield f"no texts of {length} tokens", feeds(none, none)
