"""Checkpoints whose files are missing, damaged or of another shape, and the length of their texts."""

from __future__ import annotations

import pytest
import torch

from core.errors import CheckpointError, SourceError
from tests.support.sources import edit_json, read_checkpoint


def test_only_a_pickle_is_refused_with_the_way_out(tiny):
    (tiny / "model.safetensors").unlink()
    torch.save({}, tiny / "pytorch_model.bin")
    with pytest.raises(
        CheckpointError, match=r"only pytorch_model\.bin.*never loaded.*convert.*save_pretrained"
    ):
        read_checkpoint(tiny)


def test_a_pickle_beside_the_weights_is_not_looked_at(tiny):
    (tiny / "pytorch_model.bin").write_bytes(b"anything")
    assert "pytorch_model.bin" not in read_checkpoint(tiny).sha256


@pytest.mark.parametrize("size", [0, 4, 200, -1])
def test_truncated_weights(tiny, size):
    path = tiny / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: truncated or not safetensors"):
        read_checkpoint(tiny)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_missing_file(tiny, name):
    (tiny / name).unlink()
    with pytest.raises(SourceError, match=f"^path:tiny: has no {name}"):
        read_checkpoint(tiny)


@pytest.mark.parametrize("name", ["config.json", "modules.json", "1_Pooling/config.json"])
@pytest.mark.parametrize("content", [b"{", b"\xff", b'"text"', b"[1]"])
def test_a_file_that_is_not_json_or_not_of_its_form(tiny, name, content):
    (tiny / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=name):
        read_checkpoint(tiny)


def test_a_pooling_config_that_is_missing(tiny):
    (tiny / "1_Pooling" / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"1_Pooling/config\.json"):
        read_checkpoint(tiny)


@pytest.mark.parametrize(
    "key",
    ["hidden_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings", "vocab_size"],
)
@pytest.mark.parametrize("value", [None, "24"])
def test_a_config_without_a_size(tiny, key, value):
    edit_json(tiny / "config.json", **{key: value})
    with pytest.raises(CheckpointError, match=rf"config\.json: {key}: found {value!r}"):
        read_checkpoint(tiny)


def test_the_recipes_max_length(tiny):
    edit_json(tiny / "tokenizer_config.json", model_max_length=32)
    (tiny / "sentence_bert_config.json").write_text('{"max_seq_length": 32}')
    assert read_checkpoint(tiny, max_length=3).max_length == 3
    # A recipe may go beyond what the checkpoint was tuned at, but not beyond its positions.
    assert read_checkpoint(tiny, max_length=64).max_length == 64
    with pytest.raises(
        CheckpointError, match=r"^encoder\.max_length: the recipe says 65, but path:tiny has 64 positions$"
    ):
        read_checkpoint(tiny, max_length=65)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"max_seq_length": 32}', 32),
        ('{"max_seq_length": 512}', 64),
        ('{"max_seq_length": null}', 64),
        ("{}", 64),
    ],
)
def test_max_length_left_out_is_the_checkpoints(tiny, content, expected):
    (tiny / "sentence_bert_config.json").write_text(content)
    assert read_checkpoint(tiny).max_length == expected


def test_max_length_left_out_and_unknown_to_the_checkpoint(tiny):
    assert not (tiny / "sentence_bert_config.json").exists()
    assert read_checkpoint(tiny).max_length == 64


@pytest.mark.parametrize("content", ["{", "[]", '{"max_seq_length": "many"}'])
def test_a_limit_that_is_none(tiny, content):
    (tiny / "sentence_bert_config.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"sentence_bert_config\.json"):
        read_checkpoint(tiny)
