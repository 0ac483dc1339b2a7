"""The peer in transformers' pipeline says what the original pair says."""

from __future__ import annotations

import numpy as np
import pytest
from huggingface_hub import constants

from bench.contenders import pipeline
from bench.contenders.torch_pair import Pair
from export.encoder import checkpoint
from export.reference import answers
from export.sources.resolve import Source
from tests.support.factories import Shape, write_checkpoint, write_head
from tests.support.heads import read_head
from tests.support.sources import read_checkpoint

LABELS = ["joy", "fear", "neutral"]
TEXTS = ["", "the", "a b c!", "the " * 80, "xyz. " * 3] * 10


@pytest.fixture
def encoder(tmp_path, monkeypatch):
    """A BERT of one layer; whatever transformers looks for, it looks here."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    write_checkpoint(tmp_path / "encoder", Shape(layers=1, hidden=24, heads=2), "mean")
    return tmp_path / "encoder"


def test_equals_the_reference(encoder, tmp_path):
    write_head(tmp_path / "head", LABELS, 24, shuffled=True)
    info, head = read_checkpoint(encoder), read_head(tmp_path / "head", LABELS, 24)
    tokenizer = checkpoint.load_tokenizer(encoder / "tokenizer.json", info.max_length)
    arrays = answers.build(encoder, info, head, tokenizer, TEXTS)
    pair = Pair(Source("path:tiny", encoder), Source("path:head", tmp_path / "head"), info, head.info)
    run = pipeline.load(pair)
    probabilities = np.array([[row[label] for label in LABELS] for row in run(TEXTS)])
    np.testing.assert_allclose(probabilities, arrays["probabilities"], atol=1e-6)
    assert np.ptp(probabilities, axis=0).max() > 1e-3
    assert pipeline.seconds(pair, TEXTS) > 0
