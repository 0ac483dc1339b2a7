"""Weights in half precision and in shards, against sentence-transformers on the same files."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertModel

from core.errors import CheckpointError, SourceError
from export.encoder import checkpoint
from tests.export.encoder.test_settings import embed, original
from tests.support.sources import edit_json, read_checkpoint, source

INDEX = "model.safetensors.index.json"


def shard(folder, *, dtype=torch.float32):
    """Save the weights again in several files, as transformers does; return their names."""
    bert = BertModel.from_pretrained(folder, add_pooling_layer=False).to(dtype)
    (folder / "model.safetensors").unlink()
    bert.save_pretrained(folder, max_shard_size="4KB")
    return sorted(path.name for path in folder.glob("model-*.safetensors"))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(tiny, offline, dtype):
    halves = {name: value.to(dtype) for name, value in load_file(tiny / "model.safetensors").items()}
    save_file(halves, tiny / "model.safetensors", metadata={"format": "pt"})
    edit_json(tiny / "config.json", dtype=str(dtype).removeprefix("torch."))
    np.testing.assert_allclose(embed(tiny), original(tiny), atol=2e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_shards(tiny, offline, dtype):
    names = shard(tiny, dtype=dtype)
    assert len(names) >= 2
    np.testing.assert_allclose(embed(tiny), original(tiny), atol=2e-6)
    info = read_checkpoint(tiny)
    assert {*names, INDEX} <= set(info.sha256)
    assert {*names, INDEX} <= set(checkpoint.files(source(tiny)))
    # As `sha256sum model-*.safetensors | sha256sum` has it.
    lines = [f"{hashlib.sha256((tiny / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    assert info.weights_sha256 == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_a_shard_that_is_missing(tiny):
    missing = shard(tiny)[1]
    (tiny / missing).unlink()
    with pytest.raises(SourceError, match=f"^path:tiny: has no {missing}"):
        read_checkpoint(tiny)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("../model.safetensors", r"found '\.\./model\.safetensors', expected a file of this folder"),
        (1, "found 1, expected a file"),
        ("config.json", "found 'config.json', expected a file"),
    ],
)
def test_an_index_that_leads_elsewhere(tiny, change, message):
    shard(tiny)
    index = json.loads((tiny / INDEX).read_text())
    index["weight_map"]["embeddings.word_embeddings.weight"] = change
    (tiny / INDEX).write_text(json.dumps(index))
    with pytest.raises(
        CheckpointError, match=rf"index\.json: embeddings\.word_embeddings\.weight: {message}"
    ):
        read_checkpoint(tiny)


def test_an_index_that_is_wrong_of_a_shard(tiny):
    names = shard(tiny)
    index = json.loads((tiny / INDEX).read_text())
    tensor, place = next(iter(index["weight_map"].items()))
    index["weight_map"][tensor] = next(name for name in names if name != place)
    (tiny / INDEX).write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=rf"{tensor}: missing, though {INDEX} has it there"):
        read_checkpoint(tiny)
    (tiny / INDEX).write_text("{}")
    with pytest.raises(CheckpointError, match="weight_map: expected an object"):
        read_checkpoint(tiny)
