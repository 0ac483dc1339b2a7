"""Untrusted tokenizers, weights, artifacts and heads: one sentence, in seconds, in little memory."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from safetensors.numpy import save_file

from core.artifact import manifest as finished
from core.artifact.graph import Graph
from core.errors import ArtifactError, CheckpointError, SourceError
from core.untrusted import tokenizer_file, weights_file
from export.encoder.kinds import KINDS
from export.sources.resolve import resolve
from tests.support import artifacts
from tests.support.artifacts import edited_tokenizer

FIXED = {"strategy": {"Fixed": 10**12}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0}
FIXED |= {"pad_type_id": 0, "pad_token": "[PAD]"}
SPLIT = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Removed", "invert": False}
TOKENIZERS = {
    "a regular expression": (
        edited_tokenizer("pre_tokenizer", SPLIT),
        "pre_tokenizer: found 'Split', expected Bert",
    ),
    "a replacement": (edited_tokenizer("normalizer", {"type": "Replace"}), "normalizer: found 'Replace'"),
    "a sequence of normalizers": (
        edited_tokenizer("normalizer", {"type": "Sequence"}),
        "normalizer: found 'Sequence'",
    ),
    "another model": (
        edited_tokenizer("model.type", "Unigram"),
        "model: found 'Unigram', expected WordPiece or BPE",
    ),
    "huge padding": (edited_tokenizer("padding", FIXED), "padding.strategy.Fixed: found 1000000000000"),
    "padding to a multiple": (
        edited_tokenizer("padding", FIXED | {"strategy": "BatchLongest", "pad_to_multiple_of": 10**9}),
        "pad_to_multiple_of",
    ),
    "a huge word": (edited_tokenizer("model.max_input_chars_per_word", 10**9), "max_input_chars_per_word"),
    "a huge id": (edited_tokenizer("model.vocab.the", 2**31), "model.vocab: 'the': found 2147483648"),
    "a negative id": (edited_tokenizer("model.vocab.the", -1), "model.vocab: 'the': found -1"),
    "two tokens of one id": (edited_tokenizer("model.vocab.the", 7), "two tokens have one id"),
    "no unknown token": (edited_tokenizer("model.unk_token", "nope"), "model.unk_token: found 'nope'"),
    "a stride beyond the length": (edited_tokenizer("truncation.stride", 64), "truncation.stride: found 64"),
    "no room": (edited_tokenizer("truncation.max_length", 1), "truncation.max_length: found 1"),
    "a special id": (edited_tokenizer("post_processor.sep", ["[SEP]", 10**9]), "post_processor.sep"),
    "an unknown key": (edited_tokenizer("evil", {}), "evil: unknown"),
    "a list": ([], "the file: found list, expected an object"),
}


@pytest.mark.parametrize("case", TOKENIZERS)
def test_tokenizers_that_are_refused(tmp_path, case):
    content, message = TOKENIZERS[case]
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(ArtifactError, match=rf"tokenizer\.json: not a tokenizer: .*{message}"):
        tokenizer_file.load(tmp_path / "tokenizer.json", ArtifactError)


SIZES = {"hidden_size": 8, "intermediate_size": 12, "vocab_size": 9, "max_position_embeddings": 16}
SIZES |= {"type_vocab_size": 2, "num_hidden_layers": 1}


def header(content, size=None):
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text


def tensor(start, end, shape=(1,)):
    return {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}


WEIGHTS = {
    "a header longer than the file": (header(b"{}", 2**40), "truncated or not safetensors"),
    "no header": (b"\x01", "truncated or not safetensors"),
    "a header of a list": (header(b"[]"), "its header is no object"),
    "a tensor twice": (header(b'{"a": 1, "a": 2}'), "duplicate tensor 'a'"),
    "nested headers": (header(b'{"a":' * 5000), "nested deeper"),
    "tensors that overlap": (header({"a": tensor(0, 4), "b": tensor(0, 4)}) + bytes(4), "not safetensors"),
    "a gap": (header({"a": tensor(4, 8)}) + bytes(8), "not safetensors"),
    "a shape beyond the data": (header({"a": tensor(0, 4, (1 << 40,))}) + bytes(4), "not safetensors"),
    "data that nobody names": (header({"a": tensor(0, 4)}) + bytes(400), "not safetensors"),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights_that_are_refused(tmp_path, case):
    content, message = WEIGHTS[case]
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"model\.safetensors: .*{message}"):
        weights_file.check(tmp_path, KINDS["bert"].shapes(SIZES), "bert.")


def test_weights_of_other_shapes_than_the_config_are_refused_before_torch_makes_them(tmp_path):
    save_file(
        {"embeddings.word_embeddings.weight": np.zeros((9, 8), np.float32)}, tmp_path / "model.safetensors"
    )
    large = KINDS["bert"].shapes(SIZES | {"vocab_size": 900_000})
    with pytest.raises(CheckpointError, match=r"word_embeddings.weight: found shape \(9, 8\), expected"):
        weights_file.check(tmp_path, large, "bert.")
    with pytest.raises(CheckpointError, match=r"position_embeddings.weight: found shape None"):
        weights_file.check(tmp_path, KINDS["bert"].shapes(SIZES), "bert.")


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../other/model.onnx", "a/../../x", "", ".", "a\\b", "C:x", 5]
)
def test_a_manifest_names_only_files_of_its_folder(tmp_path, name):
    folder = artifacts.artifact(tmp_path / "tiny", {"fp32": 0.0})
    content = json.loads((folder / "manifest.json").read_text())
    content["variants"][0]["file"] = name
    (folder / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(ArtifactError, match=r"manifest\.json: file: found .*, expected 'onnx/model.onnx'"):
        finished.variants(folder)


def test_a_source_is_a_folder_and_no_archive(tmp_path):
    (tmp_path / "head.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(SourceError, match="no such folder"):
        resolve("path:head.zip", tmp_path, "HEAD")


def test_a_sound_graph_is_opened(tmp_path):
    folder = artifacts.artifact(tmp_path / "tiny", {"fp32": 0.0})
    assert Graph(folder / "onnx/model.onnx").labels == artifacts.LABELS
