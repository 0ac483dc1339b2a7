"""Tell how much the logits depend on the columns of a weight, as they are when it is rounded.

The export measures it of the checkpoint's linear layers (`core.build.sensitivity`); the graph has their
columns in other orders and units, and some of them twice.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from core.build.plan import ActivationPlan, QuantizationPlan
from core.build.sensitivity import Sensitivity
from graphs.edit import names
from graphs.int8 import activations
from graphs.int8.scales import scales_of

# How often an overflow channel has something to carry, about.
_CARRIED = 0.05
_PARTS = {"qkv": ("query", "key", "value"), "key_value": ("key", "value")}

Matrix = NDArray[np.float32]


def _ordered(order: tuple[int, ...], width: int) -> NDArray[np.int64]:
    return np.array(order or range(width), np.int64)


def _value(own: ActivationPlan, measured: Sensitivity) -> Matrix:
    """Return that of the values, which carry the context's scale and order."""
    width = len(measured.rest_n)
    if own.mode == "float":
        return measured.moment_nn
    _, scale_k = scales_of(own, activations.CONTEXT)
    order = _ordered(own.order, width)
    return measured.columns(order, scale_k[order]).moment_nn


def _up(own: ActivationPlan, measured: Sensitivity) -> Matrix:
    """Return that of what comes before GELU: float channels last, overflow channels behind all."""
    width = len(measured.rest_n)
    if own.mode == "float":
        return measured.moment_nn
    kept = [index for index in range(width) if index not in set(own.float_channels)]
    first = measured.columns(np.array([*kept, *own.float_channels], np.int64))
    channels, count = list(own.overflow.channels), len(own.overflow.channels)
    seldom = _CARRIED / np.square(own.overflow.gain_o)
    rest = np.diag(measured.moment_nn)[channels] * seldom
    directions = np.concatenate([first.directions_rn, np.zeros((len(first.directions_rn), count))], axis=1)
    whole = Sensitivity(directions.astype(np.float32), np.concatenate([first.rest_n, rest]))
    return whole.columns(_ordered(own.order, width + count)).moment_nn


def moment(plan: QuantizationPlan, linear: str, sensitivities: Mapping[str, Sensitivity]) -> Matrix | None:
    """Return the second moment of the logits' gradients by a weight's columns, float32 `[n, n]`.

    Args:
        linear: the weight's node; one that is not of `names.LINEAR` has none.
        sensitivities: of the checkpoint's linear layers.
    """
    match = names.LINEAR.fullmatch(linear)
    if match is None:
        return None
    layer, kind = names.LAYER.format(match[1]), match[2]
    measured = {part: sensitivities.get(f"{layer}_{part}") for part in _PARTS.get(kind, (kind,))}
    found = {part: own for part, own in measured.items() if own is not None}
    if len(found) < len(measured):
        return None
    if kind == "up":
        return _up(plan.activations[f"{layer}_down"], found[kind])
    if kind not in _PARTS:
        return found[kind].columns(_ordered(plan.order, len(found[kind].rest_n))).moment_nn
    blocks = [
        _value(plan.activations[f"{layer}_attention_output"], own) if part == "value" else own.moment_nn
        for part, own in found.items()
    ]
    whole = np.zeros((sum(map(len, blocks)),) * 2, np.float32)
    start = 0
    for block in blocks:
        end = start + len(block)
        whole[start:end, start:end] = block
        start = end
    return whole
