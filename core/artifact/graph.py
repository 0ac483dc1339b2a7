"""Open a finished graph in onnxruntime, read what it states about itself, and run it on token ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from core import decisions, runtime
from core.artifact.metadata import Metadata, check_interface
from core.contract import LOGITS, MULTI_LABEL, PREDICTIONS, PROBABILITIES, TEXT
from core.errors import ArtifactError
from core.runtime import TokenIds
from core.untrusted import onnx_file
from core.untrusted.limited.graph_session import GraphSession
from core.untrusted.regular_file import naming
from core.untrusted.wire import operators

Advance = Callable[[int], object]


class Answers(NamedTuple):
    """The answers of a graph to some texts: float32 logits and probabilities, bool predictions `[n, l]`."""

    logits: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    predictions: NDArray[np.bool_]

    @staticmethod
    def join(parts: Sequence[Answers]) -> Answers:
        """Join the answers of several batches."""
        joined: list[Any] = [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
        return Answers(*joined)

    def rows(self, order: NDArray[np.intp]) -> Answers:
        """Return the given rows."""
        chosen: list[Any] = [array[order] for array in self]
        return Answers(*chosen)


def open_limited(path: Path, threads: int = 0) -> GraphSession:
    """Check an untrusted graph, and open it in a process of its own; `threads` as in `runtime.open_session`.

    Raises:
        ArtifactError: it is missing, not accepted by `onnx_file`, or does not load within the limits.
    """
    session = GraphSession(path, ArtifactError)
    onnx_file.check(path, operators.GRAPH, ArtifactError)
    session.open(path, threads)
    return session


class Graph:
    """A finished graph of either contract, in onnxruntime, in a process of limited memory and time."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        """Open a graph on the CPU; `threads` as in `runtime.open_session`.

        Raises:
            ArtifactError: it is missing, not accepted by `onnx_file`, does not load within the limits, or is
                not of the contract.
        """
        self.session = open_limited(path, threads)
        self.path = path
        self.properties = self.session.metadata
        self.metadata = Metadata.read(path, self.properties)
        self.labels, self.thresholds = self.metadata.labels, self.metadata.thresholds
        check_interface(path, self.session, self.labels)
        self._outputs = [value.name for value in self.session.get_outputs()]
        self._stacked = {LOGITS, PROBABILITIES, PREDICTIONS} <= set(self._outputs)
        self._thresholds = decisions.threshold_vector(self.thresholds, self.labels)

    def run(self, ids: TokenIds) -> Answers:
        """Run one batch of token ids, padded to its longest text.

        Raises:
            ArtifactError: the graph fails, takes more than it may, or its answers have another shape.
        """
        return self._run(runtime.feeds(*runtime.pad(ids)))

    def run_texts(self, texts: Sequence[str]) -> Answers:
        """Run one batch of texts through a graph that takes them."""
        return self._run({TEXT: np.array(texts, object)})

    def _run(self, given: dict[str, NDArray[Any]]) -> Answers:
        names = [LOGITS, PROBABILITIES, PREDICTIONS] if self._stacked else self.labels
        rows = len(next(iter(given.values())))
        with naming(self.path, ArtifactError, f"fails on a batch of {rows}", Exception):
            outputs = self.session.run(names, given)
        shape = (rows, len(self.labels) if self._stacked else 2)
        for name, output in zip(names, outputs, strict=True):
            if np.shape(output) != shape:
                stated = f"found shape {np.shape(output)}, expected {shape}"
                raise ArtifactError(f"{self.path}: output {name}: {stated}")
        if self._stacked:
            return Answers(*outputs)
        negative, positive = np.moveaxis(np.stack(outputs, axis=1), 2, 0)
        logits = decisions.log_odds(negative, positive)
        return Answers(logits, positive, decisions.decide(positive, self._thresholds, MULTI_LABEL))

    def run_batches(self, ids: TokenIds, batch_size: int, advance: Advance | None = None) -> Answers:
        """Run texts in their natural order, in batches of `batch_size`; `advance` is told of each."""
        parts = []
        for start in range(0, len(ids), batch_size):
            batch = ids[start : start + batch_size]
            parts.append(self.run(batch))
            if advance is not None:
                advance(len(batch))
        return Answers.join(parts)

    def run_sorted(self, ids: TokenIds, batch_size: int, advance: Advance | None = None) -> Answers:
        """Run texts in batches of like length; the answers are in the texts' own order."""
        order = runtime.by_length([len(row) for row in ids])
        answers = self.run_batches([ids[index] for index in order], batch_size, advance)
        return answers.rows(runtime.inverse(order))
