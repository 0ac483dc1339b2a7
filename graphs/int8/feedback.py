"""Round rows so that each makes up for the rows before it, along the directions in which activations vary.

A product of integers that are off by d loses `E[(x · d)²]`, which the covariance of x says. A plan holds its
largest principal directions, and what they leave of each channel's variance. Row by row, and twice, the
integer is chosen that makes the loss least with all others as they are (coordinate descent on GPTQ's
objective, arXiv 2210.17323), one of the two next to the weight: so no row pays for all before it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from core import pairs
from core.build.plan import Variation
from graphs.int8.scales import HALF_LEVELS

_SWEEPS = 2

Floats = NDArray[np.float32]


def _fits(chosen_n: Floats, neighbour_n: Floats) -> Floats:
    """Return integers no larger than their neighbours in a pair allow."""
    most_n = np.where(chosen_n * neighbour_n > 0, pairs.MOST - abs(neighbour_n), np.float32(pairs.MOST))
    return np.clip(chosen_n, -most_n, most_n)


def refined(rounded_kn: NDArray[np.int8], exact_kn: Floats, variation: Variation) -> NDArray[np.int8]:
    """Choose other integers next to the weights, with less loss for activations that vary so.

    Args:
        rounded_kn: pair-safe integers, int8 `[k, n]`; one that is not next to its weight stays.
        exact_kn: the weights in units of their scales, float32 `[k, n]`.
        variation: of the k channels.

    Returns:
        int8 `[k, n]`, pair-safe.
    """
    integers = rounded_kn.astype(np.float32)
    floor, ceiling = np.floor(exact_kn), np.ceil(exact_kn)
    fixed = abs(integers - exact_kn) >= 1
    directions = variation.directions_rk * variation.unit_r[:, None]
    weight_k = variation.rest_k + np.square(directions).sum(axis=0)
    # Sums of rows, not products: the same bits on every machine.
    lost_rn = np.zeros((len(directions), exact_kn.shape[1]), np.float32)
    for row, direction in enumerate(directions.T):
        lost_rn += direction[:, None] * (integers[row] - exact_kn[row])
    rows = len(integers)
    for row in [*range(rows)] * _SWEEPS:
        direction, exact, old = directions[:, row, None], exact_kn[row], integers[row]
        others_rn = lost_rn - direction * (old - exact)
        wanted = exact - (direction * others_rn).sum(axis=0) / weight_k[row]
        chosen = np.clip(np.rint(wanted), floor[row], ceiling[row])
        neighbour = row ^ 1
        if neighbour < rows:
            chosen = _fits(chosen, integers[neighbour])
        chosen = np.where(fixed[row], old, np.clip(chosen, -HALF_LEVELS, HALF_LEVELS))
        lost_rn = others_rn + direction * (chosen - exact)
        integers[row] = chosen
    return integers.astype(np.int8)
