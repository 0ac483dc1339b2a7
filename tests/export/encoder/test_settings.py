"""Every setting of a checkpoint's own files is honoured or refused: against `SentenceTransformer.encode`."""

from __future__ import annotations

import json
import random
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from core.errors import CheckpointError, SourceError, ToolchainError
from core.recipe import EncoderTable
from export.encoder import checkpoint, tokenizer_agreement, torch_encoder
from tests.support.sources import edit_json, sentence_layout, source

TEXTS = ["The a B c", "", "ÀB é ü", "abc! xyz.", "z " * 100, "[SEP] a [MASK]", "a\tb  c"]
PROMPTS = {"prompts": {"classify": "the a ", "empty": ""}}
# File → key → values to draw from; None leaves a key out.
DRAWN = {
    "config.json": {
        "output_attentions": [None, True],
        "output_hidden_states": [None, True],
        "return_dict": [None, False],
        "quantization_config": ["null"],
        "layer_norm_eps": [1e-12, 0.3],
        "pad_token_id": [0, 1, "null"],
        "hidden_act": ["gelu", "gelu", "relu"],
        "is_decoder": [None, None, False, True],
        "dtype": ["float32", "float16"],
        "something_new": [None, None, None, 1],
    },
    "config_sentence_transformers.json": {
        "prompts": [None, PROMPTS["prompts"]],
        "default_prompt_name": [None, None, "empty", "query", "classify"],
        "similarity_fn_name": [None, "dot"],
        "truncate_dim": [None, None, 24, 12],
        "something_new": [None, None, None, 1],
    },
    "sentence_bert_config.json": {
        "max_seq_length": [None, 8, 30],
        "do_lower_case": [None, False, True],
        "query_length": [None, None, 4],
    },
    "1_Pooling/config.json": {
        "pooling_mode_cls_token": [False, False, True],
        "pooling_mode_mean_tokens": [True, True, False],
        "pooling_mode_max_tokens": [False, False, False, True],
        "include_prompt": [None, False],
    },
    "tokenizer_config.json": {
        "do_lower_case": [None, True, True, False],
        "strip_accents": [None, None, False, True],
        "tokenize_chinese_chars": [None, True, False],
        "model_max_length": [None, 10, 64],
        "truncation_side": [None, None, "right", "left"],
        "padding_side": [None, None, "right", "left"],
        "tokenizer_class": ["BertTokenizer", "BertTokenizerFast", "PreTrainedTokenizerFast"],
        "split_special_tokens": [None, None, True],
    },
    "tokenizer.json": {
        "normalizer.lowercase": [True, True, False],
        "normalizer.strip_accents": [None, False],
    },
}


def put(path, changes):
    data = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    for name, value in changes.items():
        if value is None:
            continue
        place, keys = data, name.split(".")
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = None if value == "null" else value
    path.write_text(json.dumps(data), "utf-8")


def embed(folder, pooling="mean", **more):
    """Embed the texts as a build does: all checks, the tokenizer, torch."""
    table = EncoderTable(source="path:x", pooling=pooling, normalize=True, **more)
    info = checkpoint.read(source(folder), table)
    encoder = checkpoint.transformer(source(folder))
    tokenizer_agreement.check(encoder, info)
    ids = checkpoint.encode(
        checkpoint.load_tokenizer(encoder.folder / "tokenizer.json", info.max_length), TEXTS
    )
    return torch_encoder.embed(torch_encoder.load(encoder.folder), info, ids, batch_size=1)


def original(folder):
    return SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": "float32"}).encode(TEXTS)


@pytest.fixture
def published(tiny):
    """The tiny checkpoint, with a tokenizer whose special tokens are added, as published ones have it."""
    tokenizer = Tokenizer.from_file(str(tiny / "tokenizer.json"))
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(tiny / "tokenizer.json"))
    return tiny


def test_checkpoints_drawn_at_random_are_honoured_or_refused(published, tmp_path, offline):
    honoured, refused = 0, []
    for seed in range(40):
        drawn = random.Random(seed)
        folder = shutil.copytree(published, tmp_path / str(seed))
        # Few keys at a time, so that many are honoured.
        keys = [(file, key, values) for file, found in DRAWN.items() for key, values in found.items()]
        for file, key, values in drawn.sample(keys, 5):
            put(folder / file, {key: drawn.choice(values)})
        try:
            found = embed(folder)
        except CheckpointError as error:
            refused.append(str(error))
            continue
        honoured += 1
        np.testing.assert_allclose(found, original(folder), atol=2e-6, err_msg=str(seed))
    assert honoured > 10
    assert not any("\n" in message for message in refused)
    assert len(set(refused)) > 8


def test_a_default_prompt(published, offline):
    put(published / "config_sentence_transformers.json", PROMPTS | {"default_prompt_name": "classify"})
    with pytest.raises(
        CheckpointError, match=r"config_sentence_transformers\.json: .*'classify' puts 'the a '"
    ):
        embed(published)
    put(published / "config_sentence_transformers.json", {"default_prompt_name": "nowhere"})
    with pytest.raises(CheckpointError, match=r"found .nowhere., which is none of its prompts"):
        embed(published)
    put(published / "config_sentence_transformers.json", {"default_prompt_name": "empty"})
    np.testing.assert_allclose(embed(published), original(published), atol=2e-6)


def test_a_tokenizer_in_two_cases(published, offline):
    put(published / "tokenizer_config.json", {"do_lower_case": False, "tokenizer_class": "BertTokenizer"})
    with pytest.raises(CheckpointError, match=r"tokenizer_config\.json: contradicts tokenizer\.json: .*The"):
        embed(published)
    # What the message says to do.
    AutoTokenizer.from_pretrained(published).save_pretrained(published)
    np.testing.assert_allclose(embed(published), original(published), atol=2e-6)


def test_a_tokenizer_that_adds_tokens(published, offline):
    token = {"content": "xyz", "special": False, "normalized": False}
    token |= dict.fromkeys(("lstrip", "rstrip", "single_word"), False)
    put(published / "tokenizer_config.json", {"added_tokens_decoder": {}})
    edit_json(published / "tokenizer_config.json", added_tokens_decoder={"63": token})
    with pytest.raises(CheckpointError, match=r"contradicts tokenizer\.json: .*xyz"):
        embed(published)


@pytest.mark.parametrize("side", ["truncation_side", "padding_side"])
def test_a_left_side(published, side):
    put(published / "tokenizer_config.json", {side: "left"})
    with pytest.raises(
        CheckpointError, match=rf"tokenizer_config\.json: {side}: found 'left', expected 'right'"
    ):
        embed(published)


def test_a_truncation_from_the_left_in_tokenizer_json(published, offline):
    tokenizer = Tokenizer.from_file(str(published / "tokenizer.json"))
    tokenizer.enable_truncation(16, direction="left")
    tokenizer.save(str(published / "tokenizer.json"))
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        embed(published)


def test_an_encoder_in_a_folder_of_its_own(published, tmp_path, offline):
    folder = tmp_path / "moved"
    shutil.copytree(published, folder / "0_Transformer")
    for name in ("modules.json", "1_Pooling"):
        shutil.move(folder / "0_Transformer" / name, folder / name)
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["path"] = "0_Transformer"
    (folder / "modules.json").write_text(json.dumps(modules))
    np.testing.assert_allclose(embed(folder), original(folder), atol=2e-6)
    info = checkpoint.read(source(folder), EncoderTable(source="path:x", pooling="mean", normalize=True))
    assert info.weights_sha256 == info.sha256["0_Transformer/model.safetensors"]
    assert "0_Transformer/tokenizer.json" in info.sha256
    assert "0_Transformer/model.safetensors" in checkpoint.files(source(folder))


def test_a_pooling_in_another_folder(published, tmp_path, offline):
    shutil.move(published / "1_Pooling", published / "pooled")
    modules = json.loads((published / "modules.json").read_text())
    modules[1]["path"] = "pooled"
    (published / "modules.json").write_text(json.dumps(modules))
    np.testing.assert_allclose(embed(published), original(published), atol=2e-6)
    modules[1]["path"] = "../pooled"
    (published / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(CheckpointError, match=r"Pooling: found path '\.\./pooled'"):
        embed(published)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "mine.Pooling"}, "found modules .*'mine.Pooling'"),
        ({"name": "0"}, "name: found .* expected a name of its own"),
        ({"kwargs": ["task"]}, r"kwargs: found \['task'\]"),
    ],
)
def test_a_module_of_another_kind(published, change, message):
    modules = json.loads((published / "modules.json").read_text())
    modules[1] |= change
    (published / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(CheckpointError, match=rf"modules\.json: {message}"):
        embed(published)


def test_modules_in_another_order(published):
    sentence_layout(published, ["Transformer", "Normalize", "Pooling"], {"pooling_mode": "mean"})
    with pytest.raises(CheckpointError, match=r"modules\.json: found modules \['Transformer', 'Normalize'"):
        embed(published)


@pytest.mark.parametrize(
    "changes",
    [
        {"output_attentions": True, "output_hidden_states": True},
        {"return_dict": False},
        {"chunk_size_feed_forward": 4},
        {"classifier_dropout": "0.1", "attention_probs_dropout_prob": "none"},
        {"quantization_config": "null", "pad_token_id": "null"},
    ],
)
def test_settings_that_change_no_embedding(published, offline, changes):
    expected = original(published)
    put(published / "config.json", changes)
    np.testing.assert_allclose(embed(published), expected, atol=2e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"transformers_weights": "other.safetensors"}, "transformers_weights: weights of another name"),
        ({"auto_map": {"AutoModel": "code.Model"}}, "auto_map: a model with code of its own"),
        ({"quantization_config": {"bits": 4}}, "quantization_config: a quantized"),
        ({"alibi": True}, "alibi: unknown, and it could change embeddings"),
        ({"layer_norm_eps": "1e-12"}, "layer_norm_eps: found '1e-12', expected a positive number"),
        ({"pad_token_id": 99_999}, "pad_token_id: found 99999, expected a token"),
        ({"num_attention_heads": 5}, "num_attention_heads: found 5, expected a divisor"),
        ({"is_decoder": 0}, "is_decoder: found 0, expected False"),
    ],
)
def test_settings_that_are_refused(published, changes, message):
    put(published / "config.json", changes)
    with pytest.raises(CheckpointError, match=rf"config\.json: {message}"):
        embed(published)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json", "modules.json"])
def test_a_pointer_of_git_lfs(published, name):
    (published / name).write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0a' * 32}\nsize 133466304\n"
    )
    with pytest.raises(CheckpointError, match=rf"{name}: a git-lfs pointer, not the file; `git lfs pull`"):
        embed(published)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(published, value):
    weights = load_file(published / "model.safetensors")
    name = "encoder.layer.0.output.dense.weight"
    weights[name][0, :2] = value
    save_file(weights, published / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        CheckpointError, match=rf"model\.safetensors: {name}: found 2 of 960 weights that are not finite"
    ):
        embed(published)


def test_a_vocabulary_without_tokenizer_json(published, offline):
    (published / "tokenizer.json").unlink()
    with pytest.raises(SourceError, match=r"has no tokenizer\.json .*save_pretrained\(FOLDER\)"):
        embed(published)
    # What the message says to do.
    AutoTokenizer.from_pretrained(published).save_pretrained(published)
    np.testing.assert_allclose(embed(published), original(published), atol=2e-6)


def test_a_tokenizer_class_that_is_not_known(published):
    put(published / "tokenizer_config.json", {"tokenizer_class": "BertJapaneseTokenizer"})
    with pytest.raises(ToolchainError, match="tokenizer_class: found 'BertJapaneseTokenizer', expected Bert"):
        embed(published)


@pytest.mark.parametrize("cased", [False, True])
def test_lower_casing_by_sentence_transformers(published, offline, cased):
    put(published / "sentence_bert_config.json", {"do_lower_case": True})
    put(published / "tokenizer.json", {"normalizer.lowercase": not cased})
    put(published / "tokenizer_config.json", {"do_lower_case": not cased, "tokenizer_class": "BertTokenizer"})
    if cased:
        message = r"sentence_bert_config\.json: do_lower_case: found true, where tokenizer\.json keeps cases"
        with pytest.raises(CheckpointError, match=message):
            embed(published)
    else:
        np.testing.assert_allclose(embed(published), original(published), atol=2e-6)
