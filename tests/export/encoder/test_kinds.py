"""DistilBERT and RoBERTa: their own names of settings, files and weights, against transformers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from core.errors import CheckpointError
from core.untrusted import tokenizer_file
from export.encoder import assets, tokenizer_agreement
from tests.export.encoder.test_settings import embed, original, put
from tests.support.building import LABELS, SLOPPY, make, places
from tests.support.factories import Shape, write_checkpoint, write_head, write_recipe
from tests.support.head_info import head_info
from tests.support.sources import read_checkpoint, sentence_layout, source

KINDS = {"distilbert": "DistilBertForSequenceClassification", "roberta": "RobertaForSequenceClassification"}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def folder(kind, tmp_path):
    write_checkpoint(tmp_path / kind, Shape(layers=1), None, kind=kind)
    pooling = {"word_embedding_dimension": 24, "pooling_mode_mean_tokens": True}
    sentence_layout(tmp_path / kind, ["Transformer", "Pooling", "Normalize"], pooling)
    return tmp_path / kind


def test_reads_a_checkpoint(folder, kind):
    info = read_checkpoint(folder)
    assert (info.layers, info.heads, info.hidden, info.positions, info.max_length) == (1, 3, 24, 64, 64)
    assert (info.token_types, info.padding_id) == {"distilbert": (False, None), "roberta": (True, 1)}[kind]


def test_embeddings_equal_sentence_transformers(folder, offline):
    # transformers would take 66 for RoBERTa, which its positions do not allow.
    put(folder / "tokenizer_config.json", {"model_max_length": 64})
    np.testing.assert_allclose(embed(folder), original(folder), atol=2e-6)


def test_weights_with_the_prefix_of_a_head(folder, kind, offline):
    expected = embed(folder)
    path = folder / "model.safetensors"
    save_file({f"{kind}.{name}": array for name, array in load_file(path).items()}, path, {"format": "pt"})
    np.testing.assert_array_equal(embed(folder), expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation": "relu"}, r"activation: found 'relu', expected 'gelu'"),
        ({"hidden_size": 24}, r"hidden_size: unknown"),
        ({"n_layers": "1"}, r"n_layers: found '1'"),
    ],
)
def test_settings_of_distilbert(tmp_path, changes, message):
    write_checkpoint(tmp_path / "x", Shape(layers=1), "mean", kind="distilbert")
    put(tmp_path / "x/config.json", changes)
    with pytest.raises(CheckpointError, match=rf"config\.json: {message}"):
        read_checkpoint(tmp_path / "x")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pad_token_id": "null"}, "pad_token_id: found None, expected a token"),
        ({"pad_token_id": 65}, "max_position_embeddings: expected more than the padding's 65"),
    ],
)
def test_settings_of_roberta(tmp_path, changes, message):
    write_checkpoint(tmp_path / "x", Shape(layers=1), "mean", kind="roberta")
    put(tmp_path / "x/config.json", changes)
    with pytest.raises(CheckpointError, match=rf"config\.json: {message}"):
        read_checkpoint(tmp_path / "x")


def test_the_artifacts_files(folder, kind, tmp_path, offline):
    info, out = read_checkpoint(folder), tmp_path / "assets"
    out.mkdir()
    (out / "vocab.txt").write_text("of another encoder's build\n")
    head = head_info(LABELS, dict.fromkeys(LABELS, 0.5), order=LABELS)
    assets.write(source(folder), info, head, out)
    found, encoder = AutoConfig.from_pretrained(out), AutoConfig.from_pretrained(folder)
    assert found.model_type == kind
    assert found.architectures == [KINDS[kind]]
    for key in ("hidden_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings"):
        assert getattr(found, key) == getattr(encoder, key), key
    assert type(AutoModelForSequenceClassification.from_config(found)).__name__ == KINDS[kind]
    assert (out / "vocab.txt").is_file() == (kind == "distilbert")
    auto, rust = AutoTokenizer.from_pretrained(out), Tokenizer.from_file(str(out / "tokenizer.json"))
    for text in ("The abc", " the the", "é ü <pad> [PAD]", "x" * 300):
        assert auto(text, truncation=True)["input_ids"] == rust.encode(text).ids
    tokenizer_agreement.check_artifact(out, info)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("dropout", 0.5, "model.dropout: found '0.5', expected None"),
        ("merges", None, "model.merges: expected a list"),
        ("merges", [["no", "such"]], "not a tokenizer"),
        ("continuing_subword_prefix", "##", "model.continuing_subword_prefix"),
    ],
)
def test_a_bpe_that_is_refused(tmp_path, place, value, message):
    write_checkpoint(tmp_path / "x", Shape(layers=1), "mean", kind="roberta")
    path = tmp_path / "x/tokenizer.json"
    content = json.loads(path.read_text())
    content["model"][place] = value
    path.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=rf"tokenizer\.json: .*{message}"):
        tokenizer_file.load(path, CheckpointError)


def recipe(folder, kind, **more):
    write_head(folder / "head", LABELS, 24, shuffled=True)
    return write_recipe(folder / "own", LABELS, f"path:../{kind}", "path:../head", **more)


def test_text_in_is_refused_for_a_bpe(tmp_path):
    write_checkpoint(tmp_path / "roberta", Shape(layers=1), "cls", kind="roberta")
    own = recipe(tmp_path, "roberta", variants=SLOPPY + '[text]\nvariant = "fp32"\n')
    result = make("export", RECIPE=own, **places(tmp_path))
    assert result.returncode == 2
    assert "error: text: " in result.stderr
    assert "leave [text] out" in result.stderr
    assert result.stderr.count("\n") == 2
    assert not (tmp_path / "build/encoder.onnx").exists()


@pytest.mark.slow
def test_a_whole_build(folder, kind, tmp_path):
    text = '[text]\nvariant = "fp32"\n' if kind == "distilbert" else ""
    own = recipe(tmp_path, kind, pooling="mean", variants=SLOPPY + text)
    result = make("artifact", RECIPE=own, **places(tmp_path))
    assert result.returncode == 0, result.stdout + result.stderr
    row = next(line for line in result.stdout.splitlines() if line.startswith("| fp32 |"))
    largest, _, _, _, alone, flips, verdict = (cell.strip() for cell in row.split("|")[2:-1])
    assert float(largest) <= 1e-5
    assert float(alone) <= 1e-6
    assert float(flips) == 0
    assert verdict.startswith("ok")
