"""One machine: reading and tokenizing a window while those before it run, on every core."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.artifact.graph import Answers
from score.input.texts import texts
from score.output.columns import Columns, Scored
from score.scorer import Encoded, Scorer, batches

# While the last batches of a window run, the next one's fill the cores that are free.
_WINDOWS_RUNNING = 2


@dataclass(frozen=True)
class _Prepared:
    window: pa.Table
    rows: pa.Array
    encoded: Encoded
    batches: list[NDArray[np.intp]]


def _prepare(windows: Iterator[pa.Table], scorer: Scorer, text_column: str) -> _Prepared | None:
    window = next(windows, None)
    if window is None:
        return None
    # Equal texts are one entry of the dictionary, and are scored once.
    distinct = texts(window.column(text_column)).dictionary_encode()
    encoded = scorer.encode(distinct.dictionary.to_pylist())
    return _Prepared(window, distinct.indices, encoded, batches([len(row) for row in encoded.ids]))


def _gather(prepared: _Prepared, labels: int, answers: list[Future[Answers]]) -> Scored:
    count = len(prepared.encoded.ids)
    probabilities = np.empty((count, labels), np.float32)
    predictions = np.empty((count, labels), np.bool_)
    for batch, answer in zip(prepared.batches, answers, strict=True):
        found = answer.result()
        probabilities[batch], predictions[batch] = found.probabilities, found.predictions
    return Scored(prepared.rows, probabilities, predictions, prepared.encoded.truncated)


def score(
    windows: Iterator[pa.Table], scorer: Scorer, columns: Columns, text_column: str, callers: int
) -> Iterator[pa.Table]:
    """Yield the windows in order, scored, of the schema that `columns` makes; memory holds four at most."""
    reader, pool = ThreadPoolExecutor(1), ThreadPoolExecutor(callers)
    running: deque[tuple[_Prepared, list[Future[Answers]]]] = deque()

    def finish() -> pa.Table:
        prepared, answers = running.popleft()
        scored = _gather(prepared, len(columns.labels), answers)
        return columns.attach(prepared.window, scored, columns.schema(prepared.window.schema))

    def submit(prepared: _Prepared) -> list[Future[Answers]]:
        ids = prepared.encoded.ids
        return [pool.submit(scorer.run, [ids[index] for index in batch]) for batch in prepared.batches]

    try:
        coming = reader.submit(_prepare, windows, scorer, text_column)
        while (prepared := coming.result()) is not None:
            coming = reader.submit(_prepare, windows, scorer, text_column)
            running.append((prepared, submit(prepared)))
            if len(running) >= _WINDOWS_RUNNING:
                yield finish()
        while running:
            yield finish()
    finally:
        reader.shutdown(cancel_futures=True)
        pool.shutdown(cancel_futures=True)
