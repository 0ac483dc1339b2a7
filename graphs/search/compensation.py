"""Choose roundings that make up for one another, by how activations vary and what the logits depend on.

Integers that are off by D `[k, n]` change the squares of the logits by about tr(Dᵀ A D G), A the covariance
of the activation's levels and G the second moment of the logits' gradients by what leaves the layer: GPTQ's
objective (arXiv 2210.17323) with the output's half of the curvature (arXiv 2505.22988). Row by row, the
integer whose exchange lessens it most is exchanged for the other one next to its weight, as long as one does
(coordinate descent), and no pair is made unsafe. So no row pays for all before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core import pairs
from core.build.plan import QuantizationPlan
from core.build.sensitivity import Sensitivity
from graphs.edit import ops
from graphs.int8 import activations, calibration, quantize, rounding
from graphs.int8.calibration import Ids
from graphs.int8.scales import HALF_LEVELS
from graphs.search import columns
from graphs.search.upgrades import quantized

_SWEEPS = 2
# Of the mean of a diagonal: what no text has shown.
_DAMPING = 0.01
_BATCH_SIZE = 32
# One text in two says as much of a covariance.
_EVERY = 2

Matrix = NDArray[np.float32]


def _damped(moment: NDArray[np.floating]) -> Matrix:
    least = max(_DAMPING * float(np.diag(moment).mean()), 1e-30)
    return (moment + np.eye(len(moment)) * least).astype(np.float32)


def covariances(simplified: ir.Model, plan: QuantizationPlan, ids: Ids) -> dict[str, NDArray[np.float64]]:
    """Return how the levels of each activation vary together on some texts, `[k, k]`, by name.

    Raises:
        GraphError: the graph's activations are not the plan's.
    """
    model = quantized(simplified, plan)
    model.graph.outputs.clear()
    # Not of an activation that one product does not round whole.
    names = [name for name, own in plan.activations.items() if own.mode != "float" and not own.split_channels]
    zero_points = {}
    for name, node in ((name, node) for name in names for node in model.graph if node.name == f"{name}_u8"):
        model.graph.outputs.append(ops.typed(node.outputs[0], ir.DataType.UINT8, ["t", "k"]))
        zero_points[name] = ops.array(node, 2).astype(np.float32)
    if not zero_points:
        return {}
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
    means = {name: total / tokens for name, total in totals.items()}
    # The bias makes up for what the mean loses.
    return {name: square / tokens - np.outer(means[name], means[name]) for name, square in squares.items()}


def _fits(integers_n: Matrix, neighbour_n: Matrix) -> NDArray[np.bool_]:
    """Tell which integers may stand beside their neighbours in a pair."""
    together = abs(integers_n) + abs(neighbour_n)
    fits: NDArray[np.bool_] = (integers_n * neighbour_n <= 0) | (together <= pairs.MOST)
    return fits


def exchanged(
    weight_kn: Matrix, covariance_kk: NDArray[np.floating], moment_nn: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """Return which of a weight's integers to exchange for the others next to it, bool `[k, n]`.

    Args:
        weight_kn: float32 `[k, n]`, as `rounding.round_columns` takes it.
        covariance_kk: of the activation's levels.
        moment_nn: of the logits' gradients by the columns that leave.
    """
    nearest, scale_n = rounding.round_columns(weight_kn)
    exact_kn = weight_kn / scale_n
    free_kn = rounding.free_places(nearest, exact_kn)
    other_kn = rounding.other(nearest, exact_kn).astype(np.float32)
    free_kn &= abs(other_kn) <= HALF_LEVELS
    integers_kn = nearest.astype(np.float32)
    off_kn = integers_kn - exact_kn
    step_kn = other_kn - integers_kn
    activation_kk = _damped(covariance_kk)
    output_nn = _damped(moment_nn * np.outer(scale_n, scale_n))
    own_n = np.diag(output_nn).copy()
    rows = len(weight_kn)
    for row in [*range(rows)] * _SWEEPS:
        integers_n, step_n, variance = integers_kn[row], step_kn[row], activation_kk[row, row]
        gradient_n = (activation_kk[row] @ off_kn) @ output_nn
        allowed_n = free_kn[row].copy()
        if (neighbour := row ^ 1) < rows:
            allowed_n &= _fits(integers_n + step_n, integers_kn[neighbour])
        for _ in range(int(allowed_n.sum())):
            change_n = step_n * (2 * gradient_n + variance * step_n * own_n)
            best = int(np.where(allowed_n, change_n, 0).argmin())
            if not allowed_n[best] or change_n[best] >= 0:
                break
            gradient_n += variance * step_n[best] * output_nn[best]
            integers_n[best] += step_n[best]
            step_n[best] *= -1
            # Back to where it was, unless its neighbour has been exchanged since.
            place = slice(best, best + 1)
            if neighbour < rows:
                allowed_n[place] = _fits((integers_n + step_n)[place], integers_kn[neighbour, place])
        off_kn[row] = integers_n - exact_kn[row]
    taken: NDArray[np.bool_] = integers_kn != nearest
    return taken


def compensated(
    simplified: ir.Model, plan: QuantizationPlan, ids: Ids, sensitivities: Mapping[str, Sensitivity]
) -> QuantizationPlan:
    """Return a plan with roundings of all weights that one product reads whole.

    Args:
        ids: texts on which activations vary as they will.
        sensitivities: of the checkpoint's linear layers, by name; a layer without one counts all its
            columns alike.

    Raises:
        GraphError: the graph's activations are not the plan's.
    """
    plan = replace(plan, roundings={})
    covariance = covariances(simplified, plan, ids)
    model = simplified.clone()
    quantize.smoothed(model, plan)
    roundings = {}
    for activation in activations.find(model):
        readers = [node for node in activation.linears if node.inputs[0] is activation.value]
        for node in readers if activation.name in covariance else ():
            weight, name = ops.array(node, 1).astype(np.float32), str(node.name)
            moment = columns.moment(plan, name, sensitivities)
            if moment is None:
                moment = np.eye(weight.shape[1], dtype=np.float32)
            taken = exchanged(weight, covariance[activation.name], moment)
            roundings[name] = rounding.packed(weight, taken)
    return replace(plan, roundings=roundings)
