"""The published head as it is: run through onnxruntime, probed, and compared with a fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from core import runtime
from core.errors import HeadError
from core.untrusted.regular_file import naming

Layout = Literal["named", "columns", "sequence"]
FOLD_TOLERANCE = 1e-6
_PROBES = 256
_HUGE = 1e4
# Embeddings near each label's boundary, the spread of their logits, and the roundings of a sum.
_NEAR, _SMALL_LOGIT, _ROUNDINGS = 32, 4.0, 8.0
# Probabilities of a pair lie between 0 and 1 and add up to 1, to float32 rounding.
_SUM_TOLERANCE = 1e-5


class OriginalHead:
    """A published head in onnxruntime; calling it gives both probabilities of every label."""

    def __init__(
        self, name: str, model: onnx.ModelProto, layout: Layout, outputs: Sequence[str], threads: int = 0
    ) -> None:
        """Open a head; `outputs` is one output a label, or the one that holds all labels.

        `threads` 0 leaves their number to onnxruntime.

        Raises:
            HeadError: onnxruntime does not load it.
        """
        self._name, self._layout, self._outputs = name, layout, list(outputs)
        self._session = runtime.open_session(
            model.SerializeToString(), name, HeadError, threads=threads, log_severity=runtime.LOG_NOTHING
        )
        self._input = self._session.get_inputs()[0].name
        double = self._session.get_inputs()[0].type == "tensor(double)"
        self._dtype: type[np.floating] = np.float64 if double else np.float32

    def __call__(self, embeddings: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return probabilities of no and of yes, each `[N, labels]`, for embeddings `[N, features]`.

        Raises:
            HeadError: it fails, or its answers are not pairs of probabilities.
        """
        with naming(self._name, HeadError, f"fails on embeddings {embeddings.shape}", Exception):
            answers = self._session.run(self._outputs, {self._input: embeddings.astype(self._dtype)})
        if self._layout == "columns":
            width = (np.shape(answers[0]) or (0,))[-1]
            self._check_shape(self._outputs[0], answers[0], (len(embeddings), width))
            positive = np.asarray(answers[0], np.float64)
            negative = 1 - positive
        else:
            pairs = answers[0] if self._layout == "sequence" else answers
            if not pairs:
                raise HeadError(f"{self._name}: output {self._outputs[0]}: found an empty sequence")
            for index, pair in enumerate(pairs):
                label = self._outputs[index] if self._layout == "named" else f"{self._outputs[0]}[{index}]"
                self._check_shape(label, pair, (len(embeddings), 2))
            stacked = np.stack([np.asarray(pair, np.float64) for pair in pairs], axis=1)
            negative, positive = stacked[..., 0], stacked[..., 1]
        self._check(negative, positive)
        return negative, positive

    def _check_shape(self, output: str, answer: Any, expected: tuple[int, int]) -> None:
        if np.shape(answer) != expected:
            stated = f"found shape {np.shape(answer)}, expected (N, {expected[1]})"
            raise HeadError(f"{self._name}: output {output}: {stated}")

    def _check(self, negative: NDArray[np.float64], positive: NDArray[np.float64]) -> None:
        inside = (positive >= -_SUM_TOLERANCE) & (positive <= 1 + _SUM_TOLERANCE)
        sound = inside & (abs(negative + positive - 1) <= _SUM_TOLERANCE)
        if not sound.all():
            column = int(np.argwhere(~sound)[0, 1])
            label = self._outputs[column] if self._layout == "named" else f"column {column}"
            raise HeadError(f"{self._name}: {label}: its answers are not probabilities of no and yes")


def probe_count(features: int) -> int:
    """Return how many embeddings `probes` has."""
    return _PROBES + 2 * features + 3


def probes(features: int) -> NDArray[np.float32]:
    """Return embeddings to try a head on, `[n, features]`: random ones of norm 1, the axes, zeros."""
    random = np.random.default_rng(0).standard_normal((_PROBES, features))
    random /= np.linalg.norm(random, axis=1, keepdims=True)
    axes = np.eye(features)
    constant = np.full((1, features), features**-0.5)
    zeros = np.zeros((1, features))
    return np.concatenate([random, axes, -axes, constant, -constant, zeros]).astype(np.float32)


def _near_boundaries(weight_hl: NDArray[np.float32], bias_l: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return embeddings where each label in turn has a small logit, whatever its bias."""
    random = np.random.default_rng(1)
    found = []
    for weight, bias in zip(weight_hl.T.astype(np.float64), bias_l, strict=True):
        norm = max(float(np.linalg.norm(weight)), float(np.finfo(np.float32).tiny))
        steps = random.standard_normal((_NEAR, len(weight))) * (_SMALL_LOGIT / norm)
        found.append(steps - bias * weight / norm**2)
    return np.concatenate(found).astype(np.float32)


def prove(head: OriginalHead, weight_hl: NDArray[np.float32], bias_l: NDArray[np.float32]) -> float:
    """Compare a fold with the original head on random and extreme embeddings.

    Embeddings of norm 1 (random ones, axes, the direction of every label's weights) and some near each
    label's boundary must agree everywhere, but for what rounding the products' sum can do; embeddings
    of norm 1e4 wherever the logit is beyond what their rounding can turn.

    Returns:
        The largest `|Δprobability|` beyond rounding; it is a proof where it is at most
        `FOLD_TOLERANCE`.
    """
    norms = np.maximum(np.linalg.norm(weight_hl, axis=0), np.finfo(np.float32).tiny)
    directions = (weight_hl / norms).T
    unit = np.concatenate([probes(len(weight_hl)), directions, -directions])
    eps = float(np.finfo(np.float32).eps)
    worst = 0.0
    near, far = _near_boundaries(weight_hl, bias_l), (unit * _HUGE).astype(np.float32)
    for huge, embeddings in ((False, unit), (False, near), (True, far)):
        z = (embeddings @ weight_hl + bias_l).astype(np.float64)
        folded = 1 / (1 + np.exp(-np.clip(z, -100, 100)))
        magnitude = (abs(embeddings) @ abs(weight_hl) + abs(bias_l)).astype(np.float64)
        # Sigmoid's slope is p (1 - p); both sides round their sums.
        rounding = _ROUNDINGS * eps * magnitude * folded * (1 - folded)
        error = np.maximum(abs(folded - head(embeddings)[1]) - rounding, 0.0)
        if huge:
            # Products of float32 cancel: below this, the sign itself is rounding.
            error = error[abs(z) > 30 + len(weight_hl) * eps * magnitude]
        worst = max(worst, float(error.max(initial=0.0)))
    return worst
