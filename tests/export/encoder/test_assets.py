"""An artifact's config and tokenizer, read by transformers and compared with the checkpoint's."""

from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from core.errors import CheckpointError, SourceError
from export.encoder import assets
from tests.support.head_info import head_info
from tests.support.sources import edit_json, read_checkpoint, source

LABELS = ["joy", "très content", "neutral"]
THRESHOLDS = {"joy": 0.1 + 0.2, "très content": 0.05, "neutral": 1 / 3}
HEAD = head_info(LABELS, THRESHOLDS, order=LABELS[::-1])
TEXTS = [
    "",
    "the a b c!",
    "é ü",
    "the " * 100,
    "abc\txyz",
    "日本 🤣",
    "What a lovely day, isn't it? " * 60,
]
KEPT = (
    *("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size"),
    *("max_position_embeddings", "type_vocab_size", "hidden_act", "layer_norm_eps", "pad_token_id"),
)


def write(checkpoint, folder, **more):
    info = read_checkpoint(checkpoint, **more)
    assets.write(source(checkpoint), info, HEAD, folder)
    return folder


@pytest.fixture
def written(tiny, tmp_path):
    return write(tiny, tmp_path / "assets", max_length=24)


def test_transformers_reads_the_config(tiny, written, offline):
    found, encoder = AutoConfig.from_pretrained(written), AutoConfig.from_pretrained(tiny)
    assert type(found).__name__ == "BertConfig"
    assert found.architectures == ["BertForSequenceClassification"]
    assert found.id2label == dict(enumerate(LABELS))
    assert found.label2id == {label: index for index, label in enumerate(LABELS)}
    assert found.num_labels == 3
    assert found.problem_type == "multi_label_classification"
    for key in KEPT:
        assert getattr(found, key) == getattr(encoder, key), key
    model = AutoModelForSequenceClassification.from_config(found)
    assert type(model).__name__ == "BertForSequenceClassification"
    assert model.classifier.weight.shape == (3, 24)


def test_the_tokenizer_never_pads_and_truncates_at_the_limit(tiny, written):
    found = Tokenizer.from_file(str(written / "tokenizer.json"))
    assert found.padding is None
    assert found.truncation["max_length"] == 24
    own = Tokenizer.from_file(str(tiny / "tokenizer.json"))
    own.no_padding()
    own.no_truncation()
    for text in TEXTS:
        whole = own.encode(text).ids
        expected = whole if len(whole) <= 24 else [*whole[:23], whole[-1]]
        assert found.encode(text).ids == expected
    assert len(found.encode("the " * 100).ids) == 24


def test_autotokenizer_gives_the_same_ids(written, offline):
    rust, auto = Tokenizer.from_file(str(written / "tokenizer.json")), AutoTokenizer.from_pretrained(written)
    assert auto.model_max_length == 24
    for text in TEXTS:
        assert auto(text, truncation=True)["input_ids"] == rust.encode(text).ids
    assert (auto.pad_token, auto.cls_token, auto.sep_token) == ("[PAD]", "[CLS]", "[SEP]")


def test_autotokenizer_gives_the_same_ids_on_minilm(minilm, tmp_path, offline):
    folder = write(minilm, tmp_path, max_length=512)
    auto, published = AutoTokenizer.from_pretrained(folder), AutoTokenizer.from_pretrained(minilm)
    rust = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert auto.model_max_length == 512
    for text in [*TEXTS, "[SEP] typed"]:
        ids = rust.encode(text).ids
        assert auto(text, truncation=True)["input_ids"] == ids
        assert published(text, truncation=True, max_length=512)["input_ids"] == ids
    assert len(rust.encode(TEXTS[-1]).ids) == 512


def test_the_vocabulary_is_in_the_order_of_ids(tiny, written):
    # Written by hand, in that order, when the checkpoint was made.
    assert (written / "vocab.txt").read_text() == (tiny / "vocab.txt").read_text()


def test_thresholds_are_read_back_exactly(written):
    assert list(json.loads((written / "thresholds.json").read_text()).items()) == list(THRESHOLDS.items())


def test_special_tokens_without_a_file_of_their_own(tiny, tmp_path):
    stated = json.loads((tiny / "special_tokens_map.json").read_text())
    (tiny / "special_tokens_map.json").unlink()
    write(tiny, tmp_path)
    assert json.loads((tmp_path / "special_tokens_map.json").read_text()) == stated
    assert len(stated) == 5


def test_nothing_of_whoever_trained_it(tiny, tmp_path):
    edit_json(tiny / "tokenizer_config.json", name_or_path="/home/somebody/bert", model_max_length=9)
    edit_json(tiny / "config.json", _name_or_path="/home/somebody/bert")
    write(tiny, tmp_path, max_length=32)
    assert not any("somebody" in path.read_text() for path in tmp_path.iterdir() if path.is_file())
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["model_max_length"] == 32


def test_more_tokens_than_the_encoder_has(tiny, tmp_path):
    tokenizer = Tokenizer.from_file(str(tiny / "tokenizer.json"))
    tokenizer.add_tokens(["one-too-many"])
    tokenizer.save(str(tiny / "tokenizer.json"))
    highest = tokenizer.get_vocab_size() - 1
    message = rf"tokenizer\.json: found token {highest}, .* most .*{highest - 1}$"
    with pytest.raises(CheckpointError, match=message):
        write(tiny, tmp_path)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_a_missing_file(tiny, tmp_path, name):
    (tiny / name).unlink()
    with pytest.raises(SourceError, match=f"^path:tiny: has no {name}"):
        write(tiny, tmp_path)
