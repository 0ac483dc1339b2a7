"""State how much time and memory a limited process gets for opening a graph, and for one run of it.

The allowances are far above what an honest graph takes for the size of its file and of the batch, and low
enough that a small file and a small batch are refused within 10 s and 1 GB.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from core.errors import ToolchainError
from core.untrusted import limits

TIME_FACTOR = "UNTRUSTED_TIME_FACTOR"
_MOST_FACTOR = 1000.0


class Allowance(NamedTuple):
    """Seconds; bytes of memory beside what the libraries take; bytes of the answer."""

    seconds: float
    memory: int
    answer: int


def time_factor(error: type[ToolchainError]) -> float:
    """Return what all times are multiplied by: the environment's, for slow or emulated processors.

    Raises:
        error: it is not a number from 1 to 1,000.
    """
    stated = os.environ.get(TIME_FACTOR) or "1"
    try:
        factor = float(stated)
    except ValueError:
        factor = math.nan
    if not 1 <= factor <= _MOST_FACTOR:
        raise error(f"{TIME_FACTOR}: found {stated!r}, expected a number from 1 to {_MOST_FACTOR:g}")
    return factor


def opening(size: int) -> Allowance:
    """Return what opening a graph of `size` bytes may take."""
    seconds = limits.OPEN_SECONDS + size / limits.OPEN_BYTES_PER_SECOND
    return Allowance(seconds, limits.RUN_BYTES + limits.RUN_FILE_FACTOR * size, limits.JSON_BYTES)


class _Batch(NamedTuple):
    """Tokens of a batch (rows of embeddings, cells of its rectangle of texts), and how long its rows are."""

    rows: int
    tokens: int
    longest: int
    bytes: int


def _batch(array: Any) -> _Batch:
    rows = int(array.shape[0]) if array.ndim else 1
    if array.dtype.kind == "O":
        longest = max((len(str(text)) for text in array.reshape(-1)), default=0)
        # A text is cut at the encoder's limit once it is in characters.
        kept = min(longest, limits.TEXT_TOKENS)
        return _Batch(rows, rows * kept, kept, rows * longest * limits.CHARACTER_BYTES)
    longest = math.prod(array.shape[1:])
    if array.dtype.kind == "f":
        return _Batch(rows, rows, 1, limits.EMBEDDING_FACTOR * array.nbytes)
    return _Batch(rows, rows * longest, longest, array.nbytes)


def running(size: int, arrays: Iterable[Any]) -> Allowance:
    """Return what a run of a graph of `size` bytes on some inputs may take.

    Activations take so much a token, attention's scores as much again for each token it looks at.
    """
    batches = [_batch(array) for array in arrays]
    rows, tokens, longest = (max((batch[index] for batch in batches), default=1) for index in range(3))
    seconds = limits.RUN_SECONDS + size * tokens / limits.RUN_OPERATIONS_PER_SECOND
    activations = tokens * (limits.TOKEN_BYTES + limits.ATTENTION_BYTES * longest)
    memory = max(limits.RUN_BYTES, limits.RUN_LEAST_BYTES + activations)
    memory += limits.RUN_FILE_FACTOR * size + sum(batch.bytes for batch in batches)
    return Allowance(seconds, memory, limits.ANSWER_BYTES + limits.ANSWER_ROW_BYTES * rows)
