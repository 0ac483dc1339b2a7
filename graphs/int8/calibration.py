"""Calibrate: find which range each channel of each activation has on real texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core import runtime
from core.build import sensitivity
from core.build.plan import Range
from core.build.sensitivity import Sensitivity
from core.errors import ArtifactError, GraphError
from core.runtime import Session
from core.untrusted import npz_file
from graphs.edit import ops
from graphs.int8 import activations

_BATCH_SIZE = 64
_BINS = 1024
# Cuts from below and from above that are tried, as shares of a channel's range.
_CUTS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
_LEVELS = 255

Ids = Sequence[NDArray[np.int32]]


@dataclass(frozen=True)
class Texts:
    """Token ids to calibrate on, to evaluate on, and of the reference, which the build is gated on."""

    calibration: Ids
    held_out: Ids
    reference: Ids
    source: str
    held_out_source: str
    # Of each linear layer, as `core.build.sensitivity` has it; none where the file has none.
    sensitivities: dict[str, Sensitivity] = field(default_factory=dict)


def read(path: Path) -> Texts:
    """Read `calibration.npz`.

    Raises:
        ArtifactError: it is missing or damaged.
    """
    arrays = npz_file.read(path, ArtifactError)
    try:
        calibration, held_out, reference = (
            np.split(arrays[name], np.cumsum(arrays[f"{name}_lengths"])[:-1])
            for name in ("calibration", "held_out", "reference")
        )
        source, held_out_source = (
            arrays[name].tobytes().decode("utf-8") for name in ("source", "held_out_source")
        )
        sensitivities = {name: sensitivity.read(arrays, name) for name in sensitivity.linears(arrays)}
        return Texts(calibration, held_out, reference, source, held_out_source, sensitivities)
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: cannot be read: {error}") from error


def session(model: ir.Model) -> Session:
    """Open a graph in memory that has nothing of an untrusted head's."""
    return runtime.open_session(ir.to_proto(model).SerializeToString(), error=GraphError)


def batches(ids: Ids, size: int = _BATCH_SIZE) -> Iterator[tuple[NDArray[np.intp], dict[str, NDArray[Any]]]]:
    """Yield a graph's inputs for batches of like length, with the texts' indices."""
    order = runtime.by_length([len(row) for row in ids])
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        yield chosen, runtime.feeds(*runtime.pad([ids[index] for index in chosen]))


def _best_cut(histogram: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Return the cuts `(a, b)` of each channel's `[0, 1]` with the least expected squared error.

    Rounding inside `[a, b]` costs a twelfth of the squared scale, a value outside its squared
    distance; `histogram` is `[k, bins]`, each row of sum 1.
    """
    centres = (np.arange(_BINS) + 0.5) / _BINS
    best = np.full(len(histogram), np.inf)
    low, high = np.zeros(len(histogram)), np.ones(len(histogram))
    for a, cut_high in product(_CUTS, _CUTS):
        b = 1 - cut_high
        outside = np.maximum(centres - b, 0) + np.maximum(a - centres, 0)
        error = ((b - a) / _LEVELS) ** 2 / 12 + histogram @ outside**2
        better = error < best
        best[better], low[better], high[better] = error[better], a, b
    return low, high


@dataclass(frozen=True)
class Observed:
    """An activation's range, and the mean square of its channels, float64 `[k]`."""

    range: Range
    square_k: NDArray[np.float64]


class _Statistics:
    """Running minimum, maximum, sum and histogram of one activation's channels."""

    def __init__(self, width: int) -> None:
        self.low, self.high = np.full(width, np.inf), np.full(width, -np.inf)
        self.total, self.squares, self.tokens = np.zeros(width), np.zeros(width), 0
        self.counts = np.zeros((width, _BINS))

    def widen(self, array_tk: NDArray[np.float32]) -> None:
        self.low, self.high = np.minimum(self.low, array_tk.min(0)), np.maximum(self.high, array_tk.max(0))
        self.total += array_tk.sum(0, dtype=np.float64)
        self.squares += np.einsum("tk,tk->k", array_tk, array_tk, dtype=np.float64)
        self.tokens += len(array_tk)

    def count(self, array_tk: NDArray[np.float32]) -> None:
        low = self.low.astype(np.float32)
        factor = (_BINS / np.maximum(self.high - self.low, 1e-9)).astype(np.float32)
        bins = np.minimum(((array_tk - low) * factor).astype(np.int32), _BINS - 1)
        bins += (np.arange(array_tk.shape[1], dtype=np.int32) * _BINS)[None]
        self.counts += np.bincount(bins.ravel(), minlength=self.counts.size).reshape(self.counts.shape)

    def observed(self, kind: str) -> Observed:
        low, high = self.low, np.maximum(self.high, self.low + 1e-6)
        if kind != activations.GELU:
            # After GELU the rare large values are what decides: nothing is cut there.
            cut_low, cut_high = _best_cut(self.counts / self.tokens)
            low, high = low + cut_low * (high - low), low + cut_high * (high - low)
        arrays = (low, high, self.total / self.tokens)
        limits = Range(*(array.astype(np.float32) for array in arrays))
        return Observed(limits, self.squares / self.tokens)


def calibrate(model: ir.Model, ids: Ids) -> dict[str, Observed]:
    """Return what each activation is on some texts, by its name.

    Two passes over the float graph: minimum, maximum and mean of each channel, then a histogram, from
    which the range with the least expected squared error is taken.

    Raises:
        GraphError: the graph is not packed.
    """
    observed = model.clone()
    present = activations.find(observed)
    statistics = {activation.name: _Statistics(activation.width) for activation in present}
    # The head goes: what is untrusted of a graph does not run here.
    observed.graph.outputs.clear()
    for activation in present:
        activation.value.dtype = ir.DataType.FLOAT
        if activation.value not in observed.graph.outputs:
            observed.graph.outputs.append(activation.value)
    ops.remove_unused(observed)
    opened, outputs = session(observed), [str(activation.value.name) for activation in present]
    # Nothing after GELU is cut off, so no histogram is needed.
    counted = [activation.name for activation in present if activation.kind != activations.GELU]
    for collect, collected in ((_Statistics.widen, list(statistics)), (_Statistics.count, counted)):
        for _, inputs in batches(ids):
            arrays = dict(zip(statistics, opened.run(outputs, inputs), strict=True))
            for name in collected:
                collect(statistics[name], arrays[name])
    return {activation.name: statistics[activation.name].observed(activation.kind) for activation in present}
