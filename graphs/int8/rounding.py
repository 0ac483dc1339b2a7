"""Round weights to integers, and split the rows that would make every column's scale coarse."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Times that a split channel is multiplied: its row may be so many times as large as the others.
COPIES = 4


def round_columns(
    weight_kn: NDArray[np.float32], bits: int, split: Sequence[int] = ()
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round a weight to the nearest symmetric integers of `bits`, a scale a column.

    The rows in `split` come `COPIES` times, as summands: once in their place, the others behind the
    last row (outlier channel splitting, arXiv 1901.09504). Exact: the integers of the copies add up.

    Returns:
        int8 `[k + (COPIES - 1) * len(split), n]` and float32 `[n]`.
    """
    levels = 2 ** (bits - 1) - 1
    limit_k = np.full(len(weight_kn), levels, np.float32)
    limit_k[list(split)] *= COPIES
    scale_n = np.abs(weight_kn / limit_k[:, None]).max(axis=0)
    scale_n = np.where(scale_n > 0, scale_n, np.float32(1)).astype(np.float32)
    integers = np.clip(np.rint(weight_kn / scale_n), -limit_k[:, None], limit_k[:, None]).astype(np.int32)
    if not len(split):
        return integers.astype(np.int8), scale_n
    # floor((i + 0) / c) + … + floor((i + c - 1) / c) = i
    pieces = [(integers[list(split)] + piece) // COPIES for piece in range(COPIES)]
    integers[list(split)] = pieces[0]
    return np.concatenate([integers, *pieces[1:]]).astype(np.int8), scale_n


def copies_of(split: Sequence[int]) -> list[int]:
    """Return the channels of the rows that `round_columns` adds."""
    return list(split) * (COPIES - 1)
