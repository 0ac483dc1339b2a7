"""Round weights to pair-safe integers, and split the rows that would make every column's scale coarse.

Pair-safe (`core.pairs`): no two neighbours of a column, rows 2i and 2i+1, add up to more than 128 in
magnitude, so that no CPU saturates the sum of their products.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core import pairs
from graphs.int8.scales import HALF_LEVELS

# Times that a split channel is multiplied: its row may be so many times as large as the others.
COPIES = 4
# Scales that are tried, as shares of the least one at which no pair has to be cut.
_SHARES = np.linspace(0.8, 1, 11, dtype=np.float32)
# Channels of a table's row that share a scale.
_GROUP = 64
# Of a scale: a weight nearer to its integer keeps it.
_LEAST_OFF = np.float32(0.25)
_WIDER = np.float32(1 + 1 / 512)

Floats = NDArray[np.float32]
Rounded = tuple[NDArray[np.int8], Floats]


def _scale(limit_n: Floats) -> Floats:
    return np.where(limit_n > 0, limit_n, np.float32(1)).astype(np.float32)


def groups_of(width: int) -> int:
    """Return how many scales a row of a table has: one for each 64 channels, where that divides them."""
    return 1 if width % _GROUP else width // _GROUP


def round_rows(table_vh: Floats) -> Rounded:
    """Round a table to the nearest symmetric integers, some scales a row; no product reads them.

    Returns:
        int8 `[v, h]` and float32 `[v, g]`, one for each of g groups of neighbouring channels.
    """
    apart_vgw = table_vh.reshape(len(table_vh), groups_of(table_vh.shape[1]), -1)
    scale_vg = _scale(abs(apart_vgw).max(axis=2) / np.float32(HALF_LEVELS))
    return np.rint(apart_vgw / scale_vg[:, :, None]).astype(np.int8).reshape(table_vh.shape), scale_vg


def _least_scale(weight_kn: Floats) -> Floats:
    """Return the least scale of each column at which its pairs fit before they are rounded, `[n]`."""
    size = abs(weight_kn)
    rows = len(weight_kn) // 2 * 2
    same = weight_kn[:rows:2] * weight_kn[1:rows:2] > 0
    together = np.where(same, size[:rows:2] + size[1:rows:2], 0).max(axis=0, initial=0)
    return _scale(np.maximum(size.max(axis=0) / np.float32(HALF_LEVELS), together / np.float32(pairs.MOST)))


def _cut(rounded_kn: Floats, exact_kn: Floats) -> None:
    """Cut pairs that do not fit, in place, to the integers that do with the least squared error."""
    rows = len(rounded_kn) // 2 * 2
    first, second = rounded_kn[:rows:2], rounded_kn[1:rows:2]
    places = np.nonzero((first * second > 0) & (abs(first + second) > pairs.MOST))
    ahead, behind = abs(exact_kn[:rows:2][places]), abs(exact_kn[1:rows:2][places])
    kept = np.clip(np.rint((ahead - behind + pairs.MOST) / 2), 1, HALF_LEVELS)
    sign = np.sign(first[places])
    first[places], second[places] = sign * kept, sign * (pairs.MOST - kept)


def _round_cut(weight_kn: Floats) -> Rounded:
    """Round with the scale, a column, whose pairs to cut and whose rounding err least together."""
    least_n = _least_scale(weight_kn)
    best_n = np.full(weight_kn.shape[1], np.inf)
    integers_kn, scale_n = np.zeros(weight_kn.shape, np.int8), least_n.copy()
    for share in _SHARES:
        tried_n = least_n * share
        exact_kn = weight_kn / tried_n
        rounded_kn = np.clip(np.rint(exact_kn), -HALF_LEVELS, HALF_LEVELS)
        _cut(rounded_kn, exact_kn)
        # A sum of rows, not a product: the same bits on every machine.
        error_n = np.square(rounded_kn - exact_kn).sum(axis=0, dtype=np.float64) * np.square(tried_n)
        better = error_n < best_n
        best_n[better], scale_n[better] = error_n[better], tried_n[better]
        integers_kn[:, better] = rounded_kn[:, better].astype(np.int8)
    return integers_kn, scale_n


def _pieces(weight_kn: Floats, scale_n: Floats, split: Sequence[int]) -> NDArray[np.int8]:
    limit_k = np.full((len(weight_kn), 1), HALF_LEVELS)
    limit_k[list(split)] *= COPIES
    integers = np.clip(np.rint(weight_kn / scale_n), -limit_k, limit_k).astype(np.int32)
    # floor((i + 0) / c) + … + floor((i + c - 1) / c) = i
    pieces = [(integers[list(split)] + piece) // COPIES for piece in range(COPIES)]
    integers[list(split)] = pieces[0]
    return np.concatenate([integers, *pieces[1:]]).astype(np.int8)


def _round_split(weight_kn: Floats, split: Sequence[int]) -> Rounded:
    """Round with the least scale, a column, at which no pair has to be cut."""
    shares = weight_kn.copy()
    shares[list(split)] /= COPIES
    scale_n = _least_scale(np.concatenate([shares, *[shares[list(split)]] * (COPIES - 1)]))
    while True:
        integers = _pieces(weight_kn, scale_n, split)
        unsafe_n = pairs.can_saturate(integers).any(axis=0)
        if not unsafe_n.any():
            return integers, scale_n
        scale_n = np.where(unsafe_n, scale_n * _WIDER, scale_n)


def free_places(integers_kn: NDArray[np.int8], exact_kn: Floats) -> NDArray[np.bool_]:
    """Return the places whose integer may be exchanged for the other one next to the weight, `[k, n]`.

    Those near enough to the middle between two: the others would lose more than they could make up for.

    Args:
        integers_kn: as `round_columns` chooses them to the nearest.
        exact_kn: the weights in units of their scales.
    """
    off_kn = abs(exact_kn - integers_kn)
    places: NDArray[np.bool_] = (off_kn >= _LEAST_OFF) & (off_kn < 1)
    return places


def other(integers_kn: NDArray[np.int8], exact_kn: Floats) -> NDArray[np.int8]:
    """Return the integers on the weights' other sides, int8 `[k, n]`."""
    exchanged: NDArray[np.int8] = (integers_kn + np.sign(exact_kn - integers_kn)).astype(np.int8)
    return exchanged


def round_columns(
    weight_kn: Floats, split: Sequence[int] = (), exchanged: NDArray[np.uint8] | None = None
) -> Rounded:
    """Round a weight to pair-safe symmetric integers, a scale a column.

    The rows in `split` come `COPIES` times, as summands: once in their place, the others behind the
    last row (outlier channel splitting, arXiv 1901.09504). Exact: the integers of the copies add up.

    Args:
        exchanged: a bit for each of the `free_places`, row by row, packed: 1 for the other integer. None: to
            the nearest.

    Returns:
        int8 `[k + (COPIES - 1) * len(split), n]` and float32 `[n]`.

    Raises:
        ValueError: `exchanged` has another number of bits.
    """
    if len(split):
        return _round_split(weight_kn, split)
    integers, scale_n = _round_cut(weight_kn)
    if exchanged is not None:
        exact_kn = weight_kn / scale_n
        free = free_places(integers, exact_kn)
        if len(exchanged) != -(-(count := int(free.sum())) // 8):
            raise ValueError(f"found {len(exchanged):,} bytes of roundings, expected {-(-count // 8):,}")
        taken = np.zeros_like(free)
        taken[free] = np.unpackbits(exchanged, count=count).astype(bool)
        integers = np.where(taken, other(integers, exact_kn), integers)
    return integers, scale_n


def packed(weight_kn: Floats, exchanged_kn: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return as `round_columns` reads it which of its integers to exchange, bool `[k, n]`."""
    integers, scale_n = _round_cut(weight_kn)
    return np.packbits(exchanged_kn[free_places(integers, weight_kn / scale_n)])


def copies_of(split: Sequence[int]) -> list[int]:
    """Return the channels of the rows that `round_columns` adds."""
    return list(split) * (COPIES - 1)
