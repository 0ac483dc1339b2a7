"""Random batches whose masks have any shape, for hypothesis to draw."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from tests.support.graphs import Exported

KINDS = ("right", "left", "holes", "one token", "all real")

# Ids and masks that every graph must refuse, whose encoder has at most 64 positions.
wrong_input = pytest.mark.parametrize(
    ("ids", "mask"),
    [
        (np.full((1, 3), -1), np.ones((1, 3), int)),
        (np.full((1, 3), 10**6), np.ones((1, 3), int)),
        (np.full((2, 2), 6), np.ones((1, 4), int)),
        (np.full((1, 4), 6), np.ones((2, 2), int)),
        (np.full((1, 3), 6), np.ones((1, 4), int)),
        (np.full((1, 65), 6), np.ones((1, 65), int)),
    ],
    ids=[
        "negative",
        "beyond the vocabulary",
        "two rows of ids",
        "two rows of mask",
        "too few ids",
        "too long",
    ],
)


def mask_of(kind: str, batch: int, sequence: int, random: np.random.Generator) -> np.ndarray:
    """An `attention_mask` int64 `[b, s]` with at least one token a row."""
    columns = np.arange(sequence)
    lengths = random.integers(1, sequence + 1, (batch, 1))
    one = columns == random.integers(0, sequence, (batch, 1))
    kept = {
        "right": columns < lengths,
        "left": columns >= sequence - lengths,
        "holes": (random.random((batch, sequence)) > 0.5) | one,
        "one token": one,
        "all real": np.ones((batch, sequence), bool),
    }[kind]
    return kept.astype(np.int64)


def batch_of(made: Exported, kind: str, batch: int, sequence: int, seed: int):
    """Random ids and a mask of a kind; with CLS pooling column 0 is real, as it is in torch."""
    random = np.random.default_rng(seed)
    ids = random.integers(0, made.info.vocabulary, (batch, sequence))
    attention_mask = mask_of(kind, batch, sequence, random)
    if made.info.pooling == "cls":
        attention_mask[:, 0] = 1
    return ids, attention_mask


def batches():
    """What `batch_of` takes after the encoder."""
    seeds = st.integers(0, 2**32 - 1)
    return st.tuples(st.sampled_from(KINDS), st.integers(1, 6), st.integers(1, 64), seeds)
