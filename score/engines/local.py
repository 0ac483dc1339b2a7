"""Score windows on one machine: the next is read and tokenized while those before it run, on every core."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.artifact.graph import Answers
from core.errors import ScoreError
from score.input.texts import texts
from score.scorer import Encoded, Scorer, batches

LABELS_COLUMN = "labels"
TRUNCATED_COLUMN = "truncated"
# While the last batches of a window run, those of the next ones fill the cores that are free: so many each.
_BATCHES_AHEAD = 2
# What memory holds, whatever the number of cores.
_MOST_WINDOWS = 8


@dataclass(frozen=True)
class Columns:
    """The columns that scoring adds: `labels`, `truncated` and, on request, the probability of each label.

    Their names begin with `prefix`.
    """

    labels: list[str]
    probabilities: bool
    prefix: str = ""

    @property
    def added(self) -> list[pa.Field]:
        """The fields of these columns."""
        found = [
            pa.field(LABELS_COLUMN, pa.list_(pa.string())),
            pa.field(TRUNCATED_COLUMN, pa.bool_()),
            *(pa.field(label, pa.float32()) for label in self.labels if self.probabilities),
        ]
        return [field.with_name(self.prefix + field.name) for field in found]

    def check(self, given: Iterable[str]) -> None:
        """Hold the names of these columns apart from each other and from those of the input.

        Raises:
            ScoreError: a name is taken.
        """
        names = Counter([*set(given), *(field.name for field in self.added)])
        taken = sorted(name for name, count in names.items() if count > 1)
        if taken:
            raise ScoreError(
                f"columns {', '.join(taken)}: found in the input, expected free for the answers; "
                "--prefix gives the answers' columns other names"
            )

    def schema(self, given: pa.Schema) -> pa.Schema:
        """Return the output's schema."""
        return pa.schema([*given, *self.added], metadata=given.metadata)

    def of(
        self, probabilities: NDArray[np.float32], predictions: NDArray[np.bool_], truncated: NDArray[np.bool_]
    ) -> list[pa.Array]:
        """Return the columns for texts, of answers `[texts, labels]` and of `truncated` `[texts]`."""
        offsets = pa.array(np.concatenate([[0], np.cumsum(predictions.sum(axis=1))]), pa.int32())
        names = pa.array(self.labels, pa.string()).take(pa.array(np.nonzero(predictions)[1]))
        columns = [pa.ListArray.from_arrays(offsets, names), pa.array(truncated)]
        if self.probabilities:
            columns += [pa.array(np.ascontiguousarray(column)) for column in probabilities.T]
        return columns


class _Window(NamedTuple):
    """A window whose distinct texts are tokenized; `rows` is int32 with nulls, the text of each row."""

    table: pa.Table
    rows: pa.Array
    encoded: Encoded
    batches: list[NDArray[np.intp]]

    def scored(self, columns: Columns, answers: list[Future[Answers]]) -> pa.Table:
        """Return the table with the answers beside its rows; a null text's are null."""
        shape = (len(self.encoded.ids), len(columns.labels))
        probabilities, predictions = np.empty(shape, np.float32), np.empty(shape, np.bool_)
        for batch, future in zip(self.batches, answers, strict=True):
            answer = future.result()
            probabilities[batch], predictions[batch] = answer.probabilities, answer.predictions
        added = columns.of(probabilities, predictions, self.encoded.truncated)
        return pa.Table.from_arrays(
            [*self.table.columns, *(column.take(self.rows) for column in added)],
            schema=columns.schema(self.table.schema),
        )


def _prepare(windows: Iterator[pa.Table], scorer: Scorer, text_column: str) -> _Window | None:
    table = next(windows, None)
    if table is None:
        return None
    # Equal texts are one entry of the dictionary, and are scored once.
    distinct = texts(table.column(text_column)).dictionary_encode()
    encoded = scorer.encode(distinct.dictionary.to_pylist())
    return _Window(table, distinct.indices, encoded, batches([len(row) for row in encoded.ids]))


def _are_enough(running: Sequence[tuple[_Window, list[Future[Answers]]]], callers: int) -> bool:
    """Whether the windows after the first have batches for all callers."""
    ahead = sum(len(answers) for _, answers in running) - len(running[0][1])
    return len(running) >= _MOST_WINDOWS or (len(running) > 1 and ahead >= _BATCHES_AHEAD * callers)


def score(
    windows: Iterator[pa.Table], scorer: Scorer, columns: Columns, text_column: str, callers: int
) -> Iterator[pa.Table]:
    """Yield the windows in order, scored, of the schema that `columns` makes.

    As many run as keep the callers busy: of a few callers two, of many at most eight.
    """
    reader, pool = ThreadPoolExecutor(1), ThreadPoolExecutor(callers)
    running: deque[tuple[_Window, list[Future[Answers]]]] = deque()

    coming = reader.submit(_prepare, windows, scorer, text_column)
    try:
        while (window := coming.result()) is not None or running:
            if window is not None:
                coming = reader.submit(_prepare, windows, scorer, text_column)
                ids = window.encoded.ids
                given = ([ids[index] for index in batch] for batch in window.batches)
                running.append((window, [pool.submit(scorer.run, batch) for batch in given]))
            if window is None or _are_enough(running, callers):
                first, answers = running.popleft()
                yield first.scored(columns, answers)
    except BaseException:
        # Calls under way end at once, so that nobody waits for them below.
        scorer.close()
        raise
    finally:
        reader.shutdown(cancel_futures=True)
        pool.shutdown(cancel_futures=True)
