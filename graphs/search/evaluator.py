"""Evaluate a candidate: its decisions against the float graph's, and its speed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core import decisions
from core.build.facts import HeadInfo
from core.contract import PROBABILITIES, SINGLE_LABEL, ProblemType
from core.runtime import Session
from graphs.int8 import calibration
from graphs.int8.calibration import Ids

_LEAST = 1e-7
# onnxruntime's threads spin for up to 50 ms after a run: on a CPU that the next candidate needs.
_IDLE_SECONDS = 0.07
_SPEED_BATCH, _SPEED_TEXTS, _SPEED_ROUNDS = 32, 96, 5


@dataclass(frozen=True)
class Evaluation:
    """Of one candidate: the share of texts with a flip, and the root mean square of logit errors.

    Logits are log-odds, or, of a single-label problem, the logarithms of the probabilities.
    """

    flip_rate: float
    logit_error: float


def _logits(probabilities: NDArray[np.float32], problem_type: ProblemType) -> NDArray[np.float64]:
    clipped = np.clip(probabilities.astype(np.float64), _LEAST, 1 - _LEAST)
    odds = clipped if problem_type == SINGLE_LABEL else clipped / (1 - clipped)
    logits: NDArray[np.float64] = np.log(odds)
    return logits


class Evaluator:
    """Holds what the float graph answers to the held-out texts."""

    def __init__(self, model: ir.Model, head: HeadInfo, ids: Ids) -> None:
        """Run the float graph once."""
        self._head, self.ids = head, ids
        self._thresholds = decisions.threshold_vector(head.thresholds, head.labels)
        self._float = self._probabilities(calibration.session(model), len(ids))

    def _probabilities(self, session: Session, count: int) -> NDArray[np.float32]:
        stacked = PROBABILITIES in {output.name for output in session.get_outputs()}
        probabilities = np.zeros((count, len(self._head.labels)), np.float32)
        for rows, inputs in calibration.batches(self.ids[:count]):
            if stacked:
                probabilities[rows] = session.run([PROBABILITIES], inputs)[0]
            else:
                pairs = session.run(self._head.labels, inputs)
                probabilities[rows] = np.stack([pair[:, 1] for pair in pairs], axis=1)
        return probabilities

    def evaluate(self, model: ir.Model, count: int | None = None) -> Evaluation:
        """Compare a candidate with the float graph on the first `count` held-out texts."""
        candidate = self._probabilities(calibration.session(model), count or len(self.ids))
        expected = self._float[: len(candidate)]
        kind = self._head.problem_type
        error = _logits(candidate, kind) - _logits(expected, kind)
        ours, theirs = (
            decisions.decide(answers, self._thresholds, kind) for answers in (candidate, expected)
        )
        return Evaluation(float((ours != theirs).any(axis=1).mean()), float(np.sqrt((error**2).mean())))

    def speeds(self, models: Mapping[str, ir.Model]) -> dict[str, float]:
        """Return texts/s of some models in natural order, batches of 32: medians of interleaved rounds."""
        chosen = self.ids[:_SPEED_TEXTS]
        slices = [chosen[start : start + _SPEED_BATCH] for start in range(0, len(chosen), _SPEED_BATCH)]
        batches = [next(iter(calibration.batches(texts)))[1] for texts in slices]
        sessions = {name: calibration.session(model) for name, model in models.items()}
        rates: dict[str, list[float]] = {name: [] for name in models}
        for number in range(_SPEED_ROUNDS + 1):
            for name, session in sessions.items():
                time.sleep(_IDLE_SECONDS)
                session.run(None, batches[0])
                start_time = time.perf_counter()
                for inputs in batches:
                    session.run(None, inputs)
                if number:
                    rates[name].append(len(chosen) / (time.perf_counter() - start_time))
        return {name: statistics.median(rounds) for name, rounds in rates.items()}
