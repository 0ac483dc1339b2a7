"""Measure how the rounded channels of each activation vary together, for the rounding of what reads them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core.build.plan import QuantizationPlan, Variation
from graphs.edit import ops
from graphs.int8 import calibration
from graphs.int8.calibration import Ids
from graphs.search.upgrades import quantized

# Of the default they make a plan of 0.76 MB; the repository takes no file above 1 MB.
_DIRECTIONS = 16
_LAST = 127
# One text in four says as much of a covariance.
_EVERY = 4
_BATCH_SIZE = 32
_LEAST_REST = 1e-3


def _largest(covariance_kk: NDArray[np.float64]) -> Variation:
    """Return the largest principal directions of a covariance, and what they leave of its diagonal."""
    values, vectors = np.linalg.eigh(covariance_kk)
    kept = slice(None, -_DIRECTIONS - 1, -1)
    directions_rk = (vectors[:, kept] * np.sqrt(np.maximum(values[kept], 0))).T
    unit_r = np.maximum(abs(directions_rk).max(axis=1), 1e-9).astype(np.float32) / np.float32(_LAST)
    integers_rk = np.rint(directions_rk / unit_r[:, None]).astype(np.int8)
    diagonal = np.diag(covariance_kk)
    rest = diagonal - np.square(integers_rk * unit_r[:, None].astype(np.float64)).sum(axis=0)
    least = max(_LEAST_REST * float(diagonal.mean()), 1e-9)
    return Variation(integers_rk, unit_r, np.maximum(rest, least).astype(np.float32))


def varied(simplified: ir.Model, plan: QuantizationPlan, ids: Ids) -> QuantizationPlan:
    """Return a plan with the variation of each activation that one product rounds whole, on some texts.

    Raises:
        GraphError: the graph's activations are not the plan's.
    """
    model = quantized(simplified, plan)
    model.graph.outputs.clear()
    names = [name for name, own in plan.activations.items() if own.mode != "float" and not own.split_channels]
    zero_points = {}
    for name, node in ((name, node) for name in names for node in model.graph if node.name == f"{name}_u8"):
        model.graph.outputs.append(ops.typed(node.outputs[0], ir.DataType.UINT8, ["t", "k"]))
        zero_points[name] = ops.array(node, 2).astype(np.float32)
    if not zero_points:
        return plan
    ops.remove_unused(model)
    session, outputs = calibration.session(model), [f"{name}_u8" for name in zero_points]
    squares: dict[str, NDArray[np.float64]] = {}
    totals: dict[str, NDArray[np.float64]] = {}
    tokens = 0
    for _, inputs in calibration.batches(ids[::_EVERY], _BATCH_SIZE):
        rounded = dict(zip(zero_points, session.run(outputs, inputs), strict=True))
        for name, array in rounded.items():
            levels_tk = array - zero_points[name]
            squares[name] = squares.get(name, 0) + (levels_tk.T @ levels_tk).astype(np.float64)
            totals[name] = totals.get(name, 0) + levels_tk.sum(axis=0, dtype=np.float64)
        tokens += len(next(iter(rounded.values())))
    chosen = dict(plan.activations)
    for name, square_kk in squares.items():
        mean_k = totals[name] / tokens
        chosen[name] = replace(
            chosen[name], variation=_largest(square_kk / tokens - np.outer(mean_k, mean_k))
        )
    return replace(plan, activations=chosen)
