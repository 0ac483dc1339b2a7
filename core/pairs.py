"""Find the pairs of int8 weights whose products with u8 activations can saturate 16 bits. numpy alone.

x86 CPUs with AVX2 and without VNNI multiply an activation u8 `[m, k]` with a weight s8 `[k, n]` two rows at a
time: `vpmaddubsw` adds the products of rows 2i and 2i+1 in 16 bits, and saturates.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# 255 · 128 = 32,640 fits into 16 bits; 255 · 129 = 32,895 does not, nor does its negative.
MOST = 128


class Pair(NamedTuple):
    """The integers of a weight's rows `row` and `row + 1` in a column; `row` is even."""

    row: int
    column: int
    first: int
    second: int


def can_saturate(weight: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Find where rows 2i and 2i+1 have integers of one sign that add up to more than 128 in magnitude.

    Exactly there some activations saturate, 255 and 255 among them. A last row without a neighbour cannot.

    Args:
        weight: s8 `[k, n]`, rows in the order in which the kernel reads them.

    Returns:
        bool `[k // 2, n]`.
    """
    rows = len(weight) // 2 * 2
    # Integers of two signs add up to 127 at most.
    return abs(weight[:rows:2].astype(np.int16) + weight[1:rows:2]) > MOST


def count(weight: NDArray[np.int8]) -> int:
    """Return how many pairs a weight `[k, n]` has."""
    return int(weight.shape[0] // 2 * weight.shape[1])


def unsafe(weight: NDArray[np.int8]) -> list[Pair]:
    """Return the pairs of a weight s8 `[k, n]` that can saturate, by row, then column; none if pair-safe."""
    places = np.argwhere(can_saturate(weight))
    rows, columns = 2 * places[:, 0], places[:, 1]
    found = (rows, columns, weight[rows, columns], weight[rows + 1, columns])
    return [Pair(*each) for each in zip(*(values.tolist() for values in found), strict=True)]


def sentence(weight: NDArray[np.int8]) -> str | None:
    """Say which pair of a weight s8 `[k, n]` is the first that can saturate; None where none can."""
    found = unsafe(weight)
    if not found:
        return None
    row, column, first, second = found[0]
    return (
        f"column {column}, rows {row} and {row + 1}: found {first} and {second}, expected integers of one "
        f"sign to add up to {MOST} at most; {len(found):,} of its {count(weight):,} pairs can saturate on "
        "CPUs without VNNI"
    )
