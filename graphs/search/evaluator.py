"""Judging a candidate: its decisions against the float graph's, its size and its speed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core import decisions
from core.build.facts import HeadInfo
from core.contract import PROBABILITIES
from core.runtime import Session
from graphs.int8 import calibration
from graphs.int8.calibration import Ids

_LEAST = 1e-7
# onnxruntime's threads spin for up to 50 ms after a run: on a CPU that the next candidate needs.
_IDLE_SECONDS = 0.07
_SPEED_BATCH, _SPEED_TEXTS, _SPEED_ROUNDS = 32, 96, 5


@dataclass(frozen=True)
class Judgement:
    """Of one candidate: the share of texts with a flip, and the root mean square of logit errors."""

    flip_rate: float
    logit_error: float


class Judge:
    """Holds what the float graph says of the held-out texts."""

    def __init__(self, model: ir.Model, head: HeadInfo, ids: Ids) -> None:
        """Run the float graph once."""
        self._head, self.ids = head, ids
        self._thresholds = decisions.threshold_vector(head.thresholds, head.labels)
        self._float = self._probabilities(calibration.session(model), len(ids))

    def _probabilities(self, session: Session, count: int) -> NDArray[np.float32]:
        stacked = PROBABILITIES in {output.name for output in session.get_outputs()}
        found = np.zeros((count, len(self._head.labels)), np.float32)
        for rows, inputs in calibration.batches(self.ids[:count]):
            if stacked:
                found[rows] = session.run([PROBABILITIES], inputs)[0]
            else:
                pairs = session.run(self._head.labels, inputs)
                found[rows] = np.stack([pair[:, 1] for pair in pairs], axis=1)
        return found

    def judge(self, model: ir.Model, count: int | None = None) -> Judgement:
        """Compare a candidate with the float graph on the first `count` held-out texts."""
        found = self._probabilities(calibration.session(model), count or len(self.ids))
        expected = self._float[: len(found)]
        logits = [np.clip(p.astype(np.float64), _LEAST, 1 - _LEAST) for p in (found, expected)]
        error = np.log(logits[0] / (1 - logits[0])) - np.log(logits[1] / (1 - logits[1]))
        decided = decisions.decide(found, self._thresholds)
        flips = decided != decisions.decide(expected, self._thresholds)
        return Judgement(float(flips.any(axis=1).mean()), float(np.sqrt((error**2).mean())))

    def speeds(self, models: dict[str, Callable[[], ir.Model]]) -> dict[str, float]:
        """Return texts/s of some models in natural order, batches of 32: medians of interleaved rounds."""
        chosen = self.ids[:_SPEED_TEXTS]
        parts = [chosen[start : start + _SPEED_BATCH] for start in range(0, len(chosen), _SPEED_BATCH)]
        inputs = [next(iter(calibration.batches(part)))[1] for part in parts]
        sessions = {name: calibration.session(make()) for name, make in models.items()}
        rates: dict[str, list[float]] = {name: [] for name in models}
        for number in range(_SPEED_ROUNDS + 1):
            for name, session in sessions.items():
                time.sleep(_IDLE_SECONDS)
                session.run(None, inputs[0])
                start_time = time.perf_counter()
                for part in inputs:
                    session.run(None, part)
                if number:
                    rates[name].append(len(chosen) / (time.perf_counter() - start_time))
        return {name: statistics.median(found) for name, found in rates.items()}
