"""The stand-in for BGE-small-en: its shape, the same bytes every time, and a head that folds."""

from __future__ import annotations

import numpy as np
import pytest
from transformers import BertConfig

from bench.contenders import random_encoder
from core import recipe
from core.recipe import HeadTable
from export.encoder import checkpoint, sentence_files
from export.head import published_head as published_head
from export.sources.resolve import Source
from tests.support.places import ROOT

LABELS = recipe.load(ROOT / "recipes" / "bge-small-random").labels.names
TINY = BertConfig(
    hidden_size=24,
    intermediate_size=40,
    max_position_embeddings=64,
    num_attention_heads=3,
    num_hidden_layers=1,
    vocab_size=30522,
)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("random")
    random_encoder.write(folder, LABELS, TINY)
    return folder


def test_it_has_the_published_shape():
    shape = random_encoder.SHAPE
    assert (shape.num_hidden_layers, shape.num_attention_heads, shape.hidden_size) == (12, 12, 384)
    assert (shape.intermediate_size, shape.max_position_embeddings, shape.vocab_size) == (1536, 512, 30522)


def test_the_recipe_reads_it(written):
    loaded = recipe.load(ROOT / "recipes" / "bge-small-random")
    assert len(loaded.labels.names) == 28
    part = loaded.encoder.model_copy(update={"max_length": 64})
    info = checkpoint.read(Source("path:encoder", written / "encoder"), part)
    assert (info.layers, info.hidden, info.pooling, info.normalize) == (1, 24, "cls", True)
    own = sentence_files.read_own_pooling(written / "encoder")
    assert own is not None
    assert (own.pooling, own.normalize) == ("cls", True)


def test_its_head_is_one_in_the_published_format_and_folds(written):
    source = Source("path:head", written / "head")
    found = published_head.read(source, HeadTable(source=source.spec), LABELS, 24)
    assert (found.info.kind, found.info.layout) == ("linear", "named")
    assert found.weight_hl.shape == (24, 28)
    embeddings = np.eye(24, dtype=np.float32)
    probabilities = found.run(embeddings)[1]
    # Neither everything nor nothing is decided, and labels differ.
    decided = probabilities >= np.array(list(found.info.thresholds.values()))
    assert 0.02 < decided.mean() < 0.6
    assert probabilities.std(axis=1).min() > 0.01


def test_the_same_bytes_every_time(written, tmp_path):
    random_encoder.write(tmp_path, LABELS, TINY)
    files = sorted(path.relative_to(written) for path in written.rglob("*") if path.is_file())
    assert len(files) == 10
    for file in files:
        assert (tmp_path / file).read_bytes() == (written / file).read_bytes(), file
