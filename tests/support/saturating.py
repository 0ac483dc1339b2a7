"""Integer products as x86 CPUs without VNNI make them: `vpmaddubsw`, then `vpmaddwd` with ones."""

from __future__ import annotations

import numpy as np


def product(activations: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """u8 `[m, k]` times s8 `[k, n]`, int32 `[m, n]`: neighbours are added in 16 bits, which saturate."""
    short = len(weight) % 2
    a = np.pad(activations, ((0, 0), (0, short))).astype(np.int32)
    w = np.pad(weight, ((0, short), (0, 0))).astype(np.int32)
    products = a[:, :, None] * w[None]
    sums = np.clip(products[:, ::2] + products[:, 1::2], -(2**15), 2**15 - 1).astype(np.int16)
    return sums.sum(axis=1, dtype=np.int32)
