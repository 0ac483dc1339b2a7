"""Checkpoints: what is read from their own files, and every contradiction with the recipe."""

from __future__ import annotations

import hashlib
import json

import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

from core.errors import CheckpointError, SourceError
from tests.support.sources import edit_json, read_checkpoint, sentence_layout

ALL = ["Transformer", "Pooling", "Normalize"]


def test_reads_a_checkpoint(tiny):
    info = read_checkpoint(tiny)
    config = json.loads((tiny / "config.json").read_text())
    assert (info.layers, info.heads, info.hidden) == (1, 2, 24)
    assert (info.positions, info.vocabulary) == (64, config["vocab_size"])
    assert (info.pooling, info.normalize, info.max_length) == ("mean", True, 64)
    assert (info.source, info.revision) == ("path:tiny", None)
    hashed = [
        "config.json",
        "model.safetensors",
        "modules.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "vocab.txt",
    ]
    digests = {name: hashlib.sha256((tiny / name).read_bytes()).hexdigest() for name in hashed}
    assert info.sha256 == digests
    assert info.weights_sha256 == digests["model.safetensors"]


POOLINGS = [
    ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
    ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}, "mean"),
    ({"pooling_mode": "cls"}, "cls"),
    ({"pooling_mode": "mean", "include_prompt": True}, "mean"),
    ({"pooling_mode": ["cls"], "pooling_mode_mean_tokens": True}, "cls"),
    # As sentence-transformers has it where none is chosen.
    ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": False}, "mean"),
]


@pytest.mark.parametrize(("config", "own"), POOLINGS)
def test_pooling_of_the_checkpoint(tiny, config, own):
    sentence_layout(tiny, ALL, config)
    assert read_checkpoint(tiny, own).pooling == own
    other = {"cls": "mean", "mean": "cls"}[own]
    message = rf"^encoder\.pooling: the recipe says '{other}', .*1_Pooling/config\.json says '{own}'$"
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tiny, other)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, r"'cls\+mean'"),
        ({"pooling_mode_max_tokens": True}, "'max'"),
        ({"pooling_mode": ["mean", "cls"]}, r"'mean\+cls'"),
        ({"pooling_mode": "lasttoken"}, "'lasttoken'"),
    ],
)
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_a_pooling_that_no_recipe_can_state(tiny, config, message, pooling):
    sentence_layout(tiny, ALL, config)
    with pytest.raises(CheckpointError, match=rf"^encoder\.pooling: .*says {message}$"):
        read_checkpoint(tiny, pooling)


def test_normalize_against_the_modules(tiny):
    with pytest.raises(CheckpointError, match=r"normalize: the recipe says false, .*modules\.json has Norm"):
        read_checkpoint(tiny, normalize=False)
    sentence_layout(tiny, ALL[:2], {"pooling_mode": "mean"})
    assert read_checkpoint(tiny, normalize=False).normalize is False
    with pytest.raises(CheckpointError, match=r"normalize: the recipe says true, .*has no Normalize module"):
        read_checkpoint(tiny, normalize=True)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("normalize", [True, False])
def test_a_plain_bert_leaves_it_to_the_recipe(tiny, pooling, normalize):
    (tiny / "modules.json").unlink()
    info = read_checkpoint(tiny, pooling, normalize=normalize)
    assert (info.pooling, info.normalize) == (pooling, normalize)


@pytest.mark.parametrize("modules", [["Transformer", "Pooling", "Normalize", "Dense"], ["Transformer"]])
def test_modules_that_are_not_supported(tiny, modules):
    sentence_layout(tiny, modules, {"pooling_mode": "mean"})
    with pytest.raises(CheckpointError, match=r"modules\.json: found modules .*Transformer"):
        read_checkpoint(tiny)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model_type", "mpnet"),
        ("model_type", None),
        ("hidden_act", "relu"),
        ("hidden_act", "gelu_new"),
        ("position_embedding_type", "relative_key"),
        ("is_decoder", True),
    ],
)
def test_an_unsupported_architecture(tiny, key, value):
    edit_json(tiny / "config.json", **{key: value})
    with pytest.raises(CheckpointError, match=rf"config\.json: {key}: found {value!r}, expected"):
        read_checkpoint(tiny)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("limit", [20, 64])
def test_what_sentence_transformers_saves(tiny, tmp_path, offline, pooling, limit):
    modules = [Transformer(str(tiny), max_seq_length=limit), Pooling(24, pooling_mode=pooling), Normalize()]
    original = SentenceTransformer(modules=modules, device="cpu")
    original.save(str(tmp_path / "saved"))
    info = read_checkpoint(tmp_path / "saved", pooling)
    assert (info.pooling, info.normalize, info.hidden) == (pooling, True, 24)
    assert info.max_length == original.max_seq_length == limit


def test_the_published_minilm(minilm, offline):
    stated = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    info = read_checkpoint(minilm, sha256={"model.safetensors": stated})
    assert info.max_length == SentenceTransformer(str(minilm), device="cpu").max_seq_length == 256
    assert (info.layers, info.heads, info.hidden, info.positions) == (6, 12, 384, 512)
    with pytest.raises(SourceError, match=f"model.safetensors: SHA-256 found {stated}, expected {'0' * 64}"):
        read_checkpoint(minilm, sha256={"model.safetensors": "0" * 64})
