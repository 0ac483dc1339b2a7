"""Refit a linear head's weights on the features of int8, towards the logits of the float graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core.build.facts import HeadInfo
from core.build.head_change import HeadChange
from core.build.plan import QuantizationPlan
from core.contract import LOGITS, SINGLE_LABEL
from graphs.edit import names, ops
from graphs.edit.chain import Chain
from graphs.int8 import calibration, quantize
from graphs.int8.calibration import Ids
from graphs.int8.head_change import products

Floats = NDArray[np.float64]
# Ridges that are tried, in units of a text's squared features, and none at all: the bias alone.
_RIDGES = (1.0, 3.0, 10.0, 30.0, 100.0, np.inf)
_FEWEST_TEXTS = 50
# Named as what pools a hidden state is: such readers take up the scales of quantization.
_READ = "feature_head_{}"


def _mean(chain: Chain, tokens: ir.Value) -> ir.Value:
    """Append the mean of `[t, k]`, as `project` made that of the projections."""
    graph = chain.graph
    gather, row, total, mean = (
        names.node(graph, f"{names.PROJECTED}_{name}") for name in ("tokens", "sum_row", "sum", "mean")
    )
    padded = chain.add("Gather", [tokens, gather.inputs[1]], "tokens", axis=0)
    product = chain.add("MatMul", [ops.read(row), padded], "sum_row")
    summed = chain.add("Squeeze", [product, ops.read(total, 1)], "sum")
    return chain.add("Div", [summed, ops.read(mean, 1)], "mean")


def with_features(simplified: ir.Model) -> ir.Model:
    """Return a packed graph whose outputs are, of each product of its head, what it reads, pooled.

    The products have the weights 1, so that they undo whatever order of channels quantization chooses.
    """
    model = simplified.clone()
    graph = model.graph
    outputs: list[ir.Value] = []
    for node in products(graph):
        width = len(ops.array(node, 1))
        own = Chain(graph, None, _READ.format(len(outputs)))
        one, zero = own.constant("one", np.eye(width, dtype=np.float32)), own.floats("zero", np.zeros(width))
        read = own.insert(ops.node("Gemm", [ops.read(node), one, zero], own.prefix))
        pooled = read if node.name in (LOGITS, names.LOGIT_PAIRS) else _mean(own, read)
        outputs.append(ops.typed(pooled, ir.DataType.FLOAT, ["b", width]))
    graph.outputs[:] = outputs
    graph.sort()
    ops.remove_unused(model)
    return model


def _with_logits(simplified: ir.Model) -> ir.Model:
    """Return a graph whose output is what its linear head's products come to."""
    model = simplified.clone()
    wanted = (LOGITS, names.LOGIT_PAIRS)
    value = next(value for node in model.graph for value in node.outputs if value.name in wanted)
    value.dtype = ir.DataType.FLOAT
    model.graph.outputs[:] = [value]
    ops.remove_unused(model)
    return model


def _answers(model: ir.Model, ids: Ids) -> NDArray[np.float32]:
    """Return a graph's outputs on some texts, side by side, float32 `[n, columns]`."""
    session, rows, answers = calibration.session(model), [], []
    for chosen, inputs in calibration.batches(ids):
        rows.append(chosen)
        answers.append(np.concatenate(session.run(None, inputs), axis=1))
    ordered: NDArray[np.float32] = np.concatenate(answers)[np.argsort(np.concatenate(rows))]
    return ordered


def _fits(x_nf: NDArray[np.float32], error_nl: Floats, ridges: Sequence[float]) -> list[Floats]:
    """Return weights `[f, l]` a ridge: least squares with a penalty on what they change; features centred."""
    count, width = x_nf.shape
    dual = count <= width
    square = (x_nf @ x_nf.T if dual else x_nf.T @ x_nf).astype(np.float64)
    unit = float(np.trace(square)) / count
    fits: list[Floats] = []
    for ridge in ridges:
        if np.isinf(ridge) or unit == 0:
            fits.append(np.zeros((width, error_nl.shape[1])))
            continue
        penalized = square + ridge * unit * np.eye(len(square))
        given = error_nl if dual else x_nf.T @ error_nl
        solved = np.linalg.solve(penalized, given)
        fits.append((x_nf.T @ solved if dual else solved).astype(np.float64))
    return fits


def _losses(x_nf: NDArray[np.float32], error_nl: Floats) -> Floats:
    """Return the mean squared error of each ridge, and of no change, on texts not fitted: of two folds."""
    losses, folds = np.zeros(len(_RIDGES) + 1), (slice(0, None, 2), slice(1, None, 2))
    for fitted, judged in (folds, folds[::-1]):
        mean_f, mean_l = x_nf[fitted].mean(axis=0), error_nl[fitted].mean(axis=0)
        fits = _fits(x_nf[fitted] - mean_f, error_nl[fitted] - mean_l, _RIDGES)
        given = x_nf[judged] - mean_f
        left = [error_nl[judged] - mean_l - given @ fit for fit in fits]
        losses += [float(np.square(rest).sum()) for rest in (*left, error_nl[judged])]
    return losses / error_nl.size


def refit(x_nf: NDArray[np.float32], error_nl: Floats) -> tuple[HeadChange | None, dict[str, float]]:
    """Choose a change of a head by what its logits lack, float64 `[n, l]`, on features `[n, f]`.

    Ridge regression towards no change; the ridge is that with the least error on texts not fitted.

    Returns:
        The change, None where none is better, and a record: errors are root mean squares on texts not
        fitted.
    """
    losses = _losses(x_nf, error_nl)
    best = int(losses.argmin())
    found = {"texts": len(x_nf), "error_before": float(np.sqrt(losses[-1]))}
    if best == len(_RIDGES):
        return None, found
    mean_f, mean_l = x_nf.mean(axis=0), error_nl.mean(axis=0)
    (weight_fl,) = _fits(x_nf - mean_f, error_nl - mean_l, _RIDGES[best : best + 1])
    unit_l = (np.maximum(abs(weight_fl).max(axis=0), 1e-12) / 127).astype(np.float32)
    integers_fl = np.rint(weight_fl / unit_l).astype(np.int8)
    bias_l = mean_l - mean_f.astype(np.float64) @ (integers_fl * unit_l.astype(np.float64))
    found |= {"error_after": float(np.sqrt(losses[best])), "ridge": _RIDGES[best]}
    if np.isinf(_RIDGES[best]):
        del found["ridge"]
    return HeadChange(integers_fl, unit_l, bias_l.astype(np.float32)), found


class HeadRefit:
    """Refits the linear head of a packed graph to a plan, on some texts."""

    def __init__(self, simplified: ir.Model, ids: Ids, head: HeadInfo) -> None:
        """Take the float graph; it stays as it is, and answers when it is first needed."""
        self._simplified, self._ids, self._head = simplified, ids, head

    @cached_property
    def _float(self) -> NDArray[np.float32]:
        return _answers(_with_logits(self._simplified), self._ids)

    def __call__(self, plan: QuantizationPlan) -> QuantizationPlan:
        """Return a plan with the change of the head that fits it, and a record of that; or as it is.

        Raises:
            GraphError: the graph's activations are not the plan's.
        """
        small = len(self._ids) < _FEWEST_TEXTS
        if small or self._head.kind != "linear" or not products(self._simplified.graph):
            return plan
        featured, heads = with_features(self._simplified), products(self._simplified.graph)
        quantize.quantize(featured, replace(plan, head=None))
        x_nf = _answers(featured, self._ids)
        weight_fo = np.concatenate([ops.array(node, 1) for node in heads])
        error_nl = self._float - (x_nf @ weight_fo + ops.array(heads[0], 2)).astype(np.float64)
        if weight_fo.shape[1] == 2 * len(self._head.labels):
            # A label's two columns are one number and its negative: the second is the logit.
            error_nl = error_nl[:, 1::2]
        if self._head.problem_type == SINGLE_LABEL:
            # The same for all labels changes no probability.
            error_nl -= error_nl.mean(axis=1, keepdims=True)
        made, found = refit(x_nf, error_nl)
        return plan if made is None else replace(plan, head=made, record={**plan.record, "head": found})
