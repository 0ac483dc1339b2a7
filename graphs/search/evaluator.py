"""Evaluate a candidate: its decisions against the float graph's, and its speed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from core import decisions
from core.build.facts import HeadInfo
from core.contract import PROBABILITIES, SINGLE_LABEL, ProblemType
from core.errors import GraphError
from core.runtime import Session
from core.timing import median
from core.untrusted.limited.graph_session import GraphSession
from core.untrusted.regular_file import naming
from graphs.guard import repeated
from graphs.int8 import calibration
from graphs.int8.calibration import Ids
from graphs.search import margin
from graphs.search.margin import Distances

_PLACE = "a graph with the head inside"
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


def _run(
    session: Session | GraphSession, outputs: Sequence[str] | None, feeds: Mapping[str, NDArray[Any]]
) -> list[Any]:
    with naming(_PLACE, GraphError, "fails on the recipe's texts", Exception):
        answers: list[Any] = session.run(outputs, feeds)
        return answers
    raise AssertionError


class Evaluator:
    """Holds what the float graph answers to the held-out texts."""

    def __init__(self, model: ir.Model, head: HeadInfo, ids: Ids) -> None:
        """Run the float graph once."""
        self._head, self.ids = head, ids
        self._thresholds = decisions.threshold_vector(head.thresholds, head.labels)
        self._float = self._probabilities(self._open(model), len(ids))

    def _open(self, model: ir.Model) -> Session | GraphSession:
        """Open a graph; one with an untrusted head's own nodes inside, in a limited process."""
        if self._head.kind == "linear":
            return calibration.session(model)
        opened = GraphSession(_PLACE, GraphError)
        opened.open(ir.to_proto(model).SerializeToString())
        return opened

    def _probabilities(self, session: Session | GraphSession, count: int) -> NDArray[np.float32]:
        stacked = PROBABILITIES in {output.name for output in session.get_outputs()}
        probabilities = np.zeros((count, len(self._head.labels)), np.float32)
        for rows, inputs in calibration.batches(self.ids[:count]):
            if stacked:
                probabilities[rows] = _run(session, [PROBABILITIES], inputs)[0]
            else:
                pairs = _run(session, self._head.labels, inputs)
                probabilities[rows] = np.stack([pair[:, 1] for pair in pairs], axis=1)
        return probabilities

    def evaluate(self, model: ir.Model, count: int | None = None) -> Evaluation:
        """Compare a candidate with the float graph on the first `count` held-out texts."""
        candidate = self._probabilities(self._open(model), count or len(self.ids))
        expected = self._float[: len(candidate)]
        kind = self._head.problem_type
        error = _logits(candidate, kind) - _logits(expected, kind)
        ours, theirs = (
            decisions.decide(answers, self._thresholds, kind) for answers in (candidate, expected)
        )
        return Evaluation(float((ours != theirs).any(axis=1).mean()), float(np.sqrt((error**2).mean())))

    def distances(self, model: ir.Model) -> Distances:
        """Return how far a half's decisions are from a flip, and its errors.

        On all held-out texts but those that `guarded` asks in any case: they repeat themselves.
        """
        candidate = self._probabilities(self._open(model), len(self.ids))
        rows = [number for number, ids in enumerate(self.ids) if not repeated.is_repeated(ids)]
        kind = self._head.problem_type
        return margin.distances(candidate[rows], self._float[rows], self._thresholds, kind)

    def speeds(self, models: Mapping[str, ir.Model]) -> dict[str, float]:
        """Return texts/s of some models in natural order, batches of 32: medians of interleaved rounds."""
        chosen = self.ids[:_SPEED_TEXTS]
        slices = [chosen[start : start + _SPEED_BATCH] for start in range(0, len(chosen), _SPEED_BATCH)]
        batches = [next(iter(calibration.batches(texts)))[1] for texts in slices]
        sessions = {name: self._open(model) for name, model in models.items()}
        rates: dict[str, list[float]] = {name: [] for name in models}
        for number in range(_SPEED_ROUNDS + 1):
            for name, session in sessions.items():
                time.sleep(_IDLE_SECONDS)
                _run(session, None, batches[0])
                start_time = time.perf_counter()
                for inputs in batches:
                    _run(session, None, inputs)
                if number:
                    rates[name].append(len(chosen) / (time.perf_counter() - start_time))
        return {name: median(rounds) for name, rounds in rates.items()}
