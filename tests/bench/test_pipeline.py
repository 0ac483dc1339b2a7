"""The peer in transformers' pipeline says what the original pair says."""

from __future__ import annotations

import numpy as np

from bench.contenders import pipeline
from export.encoder import tokens
from export.reference import answers
from export.sources.resolve import Source
from tests.support.factories import write_head
from tests.support.heads import read_head
from tests.support.sources import read_checkpoint

LABELS = ["joy", "fear", "neutral"]
TEXTS = ["", "the", "a b c!", "the " * 80, "xyz. " * 3] * 10


def test_equals_the_reference(tiny, tmp_path, offline):
    write_head(tmp_path / "head", LABELS, 24, shuffled=True)
    info, head = read_checkpoint(tiny), read_head(tmp_path / "head", LABELS, 24)
    tokenizer = tokens.load(tiny / "tokenizer.json", info.max_length)
    arrays = answers.build(tiny, info, head, tokenizer, TEXTS)
    sources = Source("path:tiny", tiny), Source("path:head", tmp_path / "head")
    run = pipeline.load(*sources, info, head.info)
    found = np.array([[row[label] for label in LABELS] for row in run(TEXTS)])
    np.testing.assert_allclose(found, arrays["probabilities"], atol=1e-6)
    assert np.ptp(found, axis=0).max() > 1e-3
    assert pipeline.seconds(run, head.info.thresholds, TEXTS) > 0
