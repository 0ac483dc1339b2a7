"""Run an artifact: texts to token ids, token ids to batches, batches to answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core import runtime
from core.artifact.graph import Graph
from core.artifact.manifest import TOKENIZER_FILE
from core.contract import VARIANT_FILES
from core.errors import ArtifactError
from core.untrusted import tokenizer_file

# Measured on two AVX512-VNNI cores, int8 (python -m bench bulk sweep): rates rise to about 512
# tokens a batch and fall beyond 1,024, where the activations leave the cache.
BATCH_TOKENS = 512


@dataclass(frozen=True)
class Encoded:
    """Token ids of some texts; `truncated` bool `[texts]` marks those longer than the encoder takes."""

    ids: list[list[int]]
    truncated: NDArray[np.bool_]


def batches(lengths: Sequence[int], budget: int = BATCH_TOKENS) -> list[NDArray[np.intp]]:
    """Return indices of texts in batches of like length, longest first, of up to `budget` padded tokens.

    The graph computes real tokens alone, and attention on the rectangle of the batch's longest text; like
    lengths keep both the same. A text longer than the budget is a batch of its own.
    """
    order = runtime.by_length(lengths, longest_first=True)
    groups, start = [], 0
    while start < len(order):
        size = max(budget // max(lengths[order[start]], 1), 1)
        groups.append(order[start : start + size])
        start += size
    return groups


class Scorer:
    """One session of one thread, which any number of threads may call at the same time.

    `labels` are in the order of the answers' columns, and so are `thresholds`, by label; `run` runs one batch
    of token ids.

    That is n sessions with one thread each, and one copy of the weights. Measured on two cores against one
    session with two threads (python -m bench bulk sweep): the former is faster at every batch that
    is worth using, since products of this size leave threads waiting for each other.
    """

    def __init__(self, artifact: Path, variant: str) -> None:
        """Open a variant of an artifact.

        Raises:
            ArtifactError: its graph or tokenizer does not load, or the metadata is not of the contract.
        """
        graph = Graph(artifact / VARIANT_FILES[variant], threads=1)
        self.labels, self.thresholds = graph.labels, graph.thresholds
        self.run, self.close = graph.run, graph.session.close
        max_length = graph.metadata.max_length
        self._tokenizer = tokenizer_file.load(artifact / TOKENIZER_FILE, ArtifactError, max_length)

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Return the token ids of texts, cut at the encoder's limit."""
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        truncated = np.array([bool(encoding.overflowing) for encoding in encodings], np.bool_)
        return Encoded([encoding.ids for encoding in encodings], truncated)
