"""Random batches for a graph under load: any size and length, any id, masks of any shape."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LARGEST_BATCH = 128
_TOKENS = 1024
# One batch in so many keeps to no budget, within the largest size and length.
_UNBOUNDED_EVERY = 500
_UNBOUNDED_TOKENS = 16_384
_OTHER_NUMBERS = (-(2**63), -1, 2, 7, 256, 2**32, 2**63 - 1)
_KINDS = ("all", "right", "left", "holes", "one", "some rows empty", "all empty", "other numbers")


class Batch(NamedTuple):
    """What a graph takes, int64 `[b, s]` each."""

    input_ids: NDArray[np.int64]
    attention_mask: NDArray[np.int64]


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


def shape(number: int, max_length: int, random: np.random.Generator) -> tuple[int, int]:
    """Return size and length of a batch: the extremes first, then log-uniform, most within a budget."""
    extremes = [(1, 1), (LARGEST_BATCH, 1), (1, max_length), (LARGEST_BATCH // 4, max_length)]
    if number < len(extremes):
        return extremes[number]
    sequence = _log_uniform(random, max_length)
    budget = _UNBOUNDED_TOKENS if number % _UNBOUNDED_EVERY == 0 else _TOKENS
    return _log_uniform(random, min(LARGEST_BATCH, max(budget // sequence, 1))), sequence


def draw(seed: int, number: int, vocabulary: int, max_length: int) -> Batch:
    """Return the batch that a seed and a number name for ever."""
    random = np.random.default_rng([seed, number])
    size = shape(number, max_length, random)
    return Batch(random.integers(0, vocabulary, size), _mask(random, *size))
