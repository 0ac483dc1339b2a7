"""What the contenders run: test texts in their natural order, and texts of wanted lengths."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice

import numpy as np

from core.errors import BenchmarkError

Ids = list[list[int]]
SWEEP_LENGTHS = (8, 16, 32, 64, 128, 256, 512)
SWEEP_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
_SWEEP_BATCH = 8
_SWEEP_TOKENS = 2048
_MOST_CALLS = 16
_SHORTEST, _LONGEST = 4, 128
# A block of this many texts holds every length of the spread once, in a seeded order.
_BLOCK = 32
_SEED = 0


def batches(ids: Ids, size: int) -> list[Ids]:
    """Cut texts into batches in their natural order; the last may be smaller."""
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def slices(ids: Ids, texts: int, rounds: int) -> list[Ids]:
    """Return the texts of each round: another slice each, from the start again after the last text.

    Raises:
        BenchmarkError: there are no texts, or none are asked for.
    """
    if not ids or texts < 1 or rounds < 1:
        raise BenchmarkError(
            f"found {len(ids)} texts, {texts} a round, {rounds} rounds; expected at least one of each"
        )
    stream = cycle(ids)
    return [list(islice(stream, texts)) for _ in range(rounds)]


def of_lengths(ids: Ids, lengths: Sequence[int]) -> Ids:
    """Join and cut texts to the wanted lengths in tokens; each begins and ends as a text does.

    Raises:
        BenchmarkError: a length is below 2, or the texts hold no token of their own.
    """
    if not any(len(row) > 2 for row in ids) or min(lengths) < 2:
        raise BenchmarkError(f"cannot make texts of {min(lengths)} tokens from {len(ids)} texts")
    # The texts' own tokens, joined, without end.
    stream = cycle([token for row in ids for token in row[1:-1]])
    first, last = ids[0][0], ids[0][-1]
    return [[first, *islice(stream, length - 2), last] for length in lengths]


def by_length(ids: Ids, limit: int) -> dict[int, list[Ids]]:
    """Return length → batches of 8 texts of that length, up to `limit` tokens a text."""
    points = {}
    for length in (length for length in SWEEP_LENGTHS if length <= limit):
        calls = max(2, min(_MOST_CALLS, _SWEEP_TOKENS // (_SWEEP_BATCH * length)))
        points[length] = batches(of_lengths(ids, [length] * (_SWEEP_BATCH * calls)), _SWEEP_BATCH)
    return points


def by_size(ids: Ids, limit: int) -> dict[int, list[Ids]]:
    """Return batch size → batches of texts of mixed lengths, 4 to 128 tokens (or `limit`).

    Every block of 32 texts has the same lengths, evenly spread, in an order of its own, so that all
    sizes but for the order run the same texts.
    """
    random = np.random.default_rng(_SEED)
    even = np.linspace(_SHORTEST, min(_LONGEST, limit), _BLOCK).round().astype(int)
    blocks = [random.permutation(even) for _ in range(max(SWEEP_SIZES) // _BLOCK)]
    texts = of_lengths(ids, np.concatenate(blocks).tolist())
    return {size: batches(texts[: max(size, _BLOCK)], size) for size in SWEEP_SIZES}


def tokens(batched: Sequence[Ids]) -> int:
    """Count the real tokens of some batches."""
    return sum(len(row) for batch in batched for row in batch)
