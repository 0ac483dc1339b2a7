"""Fold linear layers without an activation into the linear head behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from core.build.dense import DenseLayer
from graphs.head.files import LinearHead


def fold(layers: Sequence[DenseLayer], head: LinearHead) -> tuple[list[DenseLayer], LinearHead]:
    """Fold the last layers into a head that reads them as they are, up to the last activation.

    `(x W + b) V + c = x (W V) + (b V + c)`, computed in float64: exact up to rounding to float32.

    Returns:
        The layers that are left, and the head, which reads the last of these.
    """
    kept = list(layers)
    weight, bias = head.weight_hl.astype(np.float64), head.bias_l.astype(np.float64)
    while kept and kept[-1].activation == "identity":
        layer = kept.pop()
        bias = layer.bias_o.astype(np.float64) @ weight + bias
        weight = layer.weight_io.astype(np.float64) @ weight
    if len(kept) == len(layers):
        return kept, head
    return kept, replace(head, weight_hl=weight.astype(np.float32), bias_l=bias.astype(np.float32))
