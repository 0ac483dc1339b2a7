"""From the answers of a window's distinct texts to the columns of its rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.errors import ScoreError

LABELS_COLUMN = "labels"
TRUNCATED_COLUMN = "truncated"


@dataclass(frozen=True)
class Scored:
    """Answers for the distinct texts of a window.

    `rows` is int32 `[rows]` with nulls: the text of each row. `probabilities` float32 and `predictions` bool
    are `[texts, labels]`, `truncated` bool `[texts]`.
    """

    rows: pa.Array
    probabilities: NDArray[np.float32]
    predictions: NDArray[np.bool_]
    truncated: NDArray[np.bool_]


@dataclass(frozen=True)
class Columns:
    """The columns that scoring adds: `labels`, `truncated` and, where asked for, one a label."""

    labels: list[str]
    probabilities: bool

    def schema(self, given: pa.Schema) -> pa.Schema:
        """Return the output's schema.

        Raises:
            ScoreError: the input has a column of an added one's name.
        """
        added = [
            pa.field(LABELS_COLUMN, pa.list_(pa.string())),
            pa.field(TRUNCATED_COLUMN, pa.bool_()),
            *(pa.field(label, pa.float32()) for label in self.labels if self.probabilities),
        ]
        names = [field.name for field in added]
        taken = sorted({name for name in names if name in given.names or names.count(name) > 1})
        if taken:
            raise ScoreError(f"columns {', '.join(taken)}: found in the input, expected free for the answers")
        return pa.schema([*given, *added], metadata=given.metadata)

    def attach(self, window: pa.Table, scored: Scored, schema: pa.Schema) -> pa.Table:
        """Return the window with the answers beside its rows; a null text's are null."""
        counts = scored.predictions.sum(axis=1)
        offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
        decided = pa.array(self.labels, pa.string()).take(pa.array(np.nonzero(scored.predictions)[1]))
        columns = [pa.ListArray.from_arrays(offsets, decided), pa.array(scored.truncated)]
        if self.probabilities:
            columns += [pa.array(np.ascontiguousarray(column)) for column in scored.probabilities.T]
        added = [column.take(scored.rows) for column in columns]
        return pa.Table.from_arrays([*window.columns, *added], schema=schema)
