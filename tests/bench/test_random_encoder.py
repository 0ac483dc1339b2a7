"""The stand-in for BGE-small-en: its shape, the same bytes every time, and a head that folds."""

from __future__ import annotations

import numpy as np
import pytest
from transformers import BertConfig

from bench.__main__ import main
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


def test_they_have_the_published_shapes():
    shapes = {
        name: (each.num_hidden_layers, each.hidden_size, each.intermediate_size, each.vocab_size)
        for name, each in random_encoder.SHAPES.items()
    }
    assert shapes == {
        "bge-small": (12, 384, 1536, 30522),
        "minilmv2-l6": (6, 384, 1536, 30522),
        "roberta-base": (12, 768, 3072, 50265),
    }
    for each in random_encoder.SHAPES.values():
        assert (each.num_attention_heads, each.max_position_embeddings) == (12, 512)


def test_a_shape_that_is_not_known_is_named(in_process, tmp_path):
    recipe = ROOT / "recipes" / "bge-small-random"
    status, written = in_process(main, "random-encoder", recipe, tmp_path / "made", "--shape", "bert-huge")
    assert status == 2
    assert "--shape: found 'bert-huge', expected one of bge-small, minilmv2-l6, roberta-base" in written.err
    assert not (tmp_path / "made").exists()


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
