"""Heads that don't fit: every error names the file and, where there is one, the label."""

from __future__ import annotations

import json
import re

import onnx
import pytest

from core.errors import HeadError, SourceError
from core.recipe import HeadTable
from export.head import published_head
from tests.support.factories import write_head as write_published
from tests.support.heads import read_head
from tests.support.sources import source

LABELS = ["joy", "fear", "neutral"]
WIDTH = 8

NOT_ONE = "(not an ONNX file|found inputs|onnxruntime does not load it|has no graph)"


def refused(folder, file, message, labels=LABELS, width=WIDTH):
    with pytest.raises(HeadError, match=f"^{re.escape(str(folder / file))}: .*{message}"):
        read_head(folder, labels, width)


@pytest.fixture
def folder(tmp_path):
    write_published(tmp_path, LABELS, WIDTH)
    return tmp_path


def test_a_label_missing_in_the_model(tmp_path):
    write_published(tmp_path, LABELS[:2], WIDTH)
    (tmp_path / "thresholds.json").write_text(json.dumps(dict.fromkeys(LABELS, 0.5)))
    refused(tmp_path, "model.onnx", "label 'neutral' of the recipe is missing")


def test_a_label_of_the_model_that_the_recipe_does_not_know(tmp_path):
    write_published(tmp_path, [*LABELS, "envy"], WIDTH)
    (tmp_path / "thresholds.json").write_text(json.dumps(dict.fromkeys(LABELS, 0.5)))
    refused(tmp_path, "model.onnx", "label 'envy' is unknown to the recipe")


def test_a_label_twice_in_the_model(folder):
    model = onnx.load(folder / "model.onnx")
    model.graph.output[1].name = "joy"
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    refused(folder, "model.onnx", "duplicate output 'joy'")


def test_a_head_for_another_encoder(tmp_path):
    write_published(tmp_path, ["joy"], 768)
    refused(
        tmp_path, "model.onnx", r"input logits: found shape \['N', 768\], expected \[N, 384\]", ["joy"], 384
    )


def test_a_width_that_is_only_known_when_run(folder):
    model = onnx.load(folder / "model.onnx")
    model.graph.input[0].type.tensor_type.shape.dim[1].Clear()
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    assert read_head(folder, LABELS, WIDTH).info.kind == "linear"
    refused(folder, "model.onnx", r"fails on embeddings \(61, 9\)", width=WIDTH + 1)


@pytest.mark.parametrize("content", [b"", b"\x80PK not onnx", b'{"joy": 1}', b"version https://git-lfs"])
def test_a_file_that_is_not_onnx(folder, content):
    (folder / "model.onnx").write_bytes(content)
    refused(folder, "model.onnx", NOT_ONE)


def test_a_truncated_model(folder):
    content = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(content[: len(content) // 2])
    refused(folder, "model.onnx", NOT_ONE)


def test_a_missing_file(folder):
    (folder / "model.onnx").unlink()
    with pytest.raises(SourceError, match=r"has no model\.onnx"):
        read_head(folder, LABELS, WIDTH)


def test_a_hash_of_the_recipe(folder):
    part = HeadTable(source="path:x", sha256={"thresholds.json": "0" * 64})
    with pytest.raises(SourceError, match=r"thresholds\.json: SHA-256 found [0-9a-f]{64}, expected 0{64}"):
        published_head.read(source(folder), part, LABELS, WIDTH)
