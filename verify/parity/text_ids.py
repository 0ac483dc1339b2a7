"""Compare the graph that takes texts: token ids with the tokenizer's, answers with its variant's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core import runtime
from core.artifact.graph import Graph, open_limited
from core.contract import ATTENTION_MASK, INPUT_IDS, TEXT
from core.errors import ArtifactError
from core.runtime import TokenIds
from core.untrusted import json_file
from core.untrusted.regular_file import naming

_HOSTILE_FILE = "hostile_texts.json"
_BATCH_SIZE = 32
# The same operators on the same ids: what is left is the order of sums.
MOST_DIFFERENCE = 1e-6


@dataclass(frozen=True)
class Differing:
    """How many of some texts get other token ids; `first` says which is the first."""

    texts: int
    differ: int
    first: str | None


@dataclass(frozen=True)
class Agreement:
    """How far a graph's answers to texts are from its variant's to their ids."""

    texts: int
    max_probability_difference: float
    different_decisions: int

    def failure(self, place: str, variant: str) -> str | None:
        """Return a sentence where they differ; a difference that is not a number is one."""
        if self.max_probability_difference <= MOST_DIFFERENCE and not self.different_decisions:
            return None
        return (
            f"{place}: found answers {self.max_probability_difference:.3g} from {variant}'s and "
            f"{self.different_decisions} texts with other decisions, expected at most {MOST_DIFFERENCE:g} "
            "and none"
        )


def hostile() -> list[str]:
    """Return the texts that were listed before there was a graph to read them."""
    kinds = json_file.loads(
        resources.files("verify.parity").joinpath(_HOSTILE_FILE).read_bytes(), _HOSTILE_FILE, ArtifactError
    )
    listed = [entry for entries in kinds.values() for entry in entries]
    return [one if isinstance(one, str) else one["text"] * one["repeat"] for one in listed]


class GraphTokenizer:
    """A tokenizer that is a graph, in onnxruntime, in a process of limited memory and time."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        """Open it; `threads` as in `runtime.open_session`.

        Raises:
            ArtifactError: it is missing, or does not load.
        """
        self._path, self._session = path, open_limited(path, threads)

    def run(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return `input_ids` and `attention_mask` of a batch, int64 `[b, s]`.

        Raises:
            ArtifactError: it fails, or takes more than it may.
        """
        given = {TEXT: np.array(texts, object)}
        with naming(self._path, ArtifactError, f"fails on {len(texts)} texts", Exception):
            ids, mask = self._session.run([INPUT_IDS, ATTENTION_MASK], given)
        return ids, mask

    def encode(self, texts: Sequence[str], batch_size: int = _BATCH_SIZE) -> list[list[int]]:
        """Return each text's token ids, without padding."""
        encoded: list[list[int]] = []
        for start in range(0, len(texts), batch_size):
            ids, mask = self.run(texts[start : start + batch_size])
            encoded += [row[:length].tolist() for row, length in zip(ids, mask.sum(axis=1), strict=True)]
        return encoded


def compare_ids(texts: Sequence[str], found: TokenIds, expected: TokenIds) -> Differing:
    """Compare token ids, text by text."""
    rows = zip(texts, found, expected, strict=True)
    wrong = [(text, ours, theirs) for text, ours, theirs in rows if list(ours) != list(theirs)]
    first = None
    if wrong:
        text, ours, theirs = wrong[0]
        place = next(
            (at for at, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]),
            min(len(ours), len(theirs)),
        )
        first = (
            f"{text[:60]!r}, token {place}: found {list(ours[place : place + 3])} of {len(ours)}, "
            f"expected {list(theirs[place : place + 3])} of {len(theirs)}"
        )
    return Differing(len(texts), len(wrong), first)


def compare_answers(graph: Graph, variant: Graph, texts: Sequence[str], ids: TokenIds) -> Agreement:
    """Run texts through one graph and their ids through the other, in the same batches of like length."""
    worst, decisions = 0.0, 0
    order = runtime.by_length([len(row) for row in ids])
    for start in range(0, len(texts), _BATCH_SIZE):
        batch = order[start : start + _BATCH_SIZE]
        ours = graph.run_texts([texts[index] for index in batch])
        theirs = variant.run([ids[index] for index in batch])
        worst = float(np.maximum(worst, abs(ours.probabilities - theirs.probabilities).max()))
        decisions += int((ours.predictions != theirs.predictions).any(axis=1).sum())
    return Agreement(len(texts), worst, decisions)
