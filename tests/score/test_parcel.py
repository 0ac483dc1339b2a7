"""The artifact travels as what its manifest says it is."""

from __future__ import annotations

import shutil

import pytest

from core.disk.files import sha256_file
from core.errors import ArtifactError
from score.engines.parcel import pack, unpack
from score.scorer import Scorer


def test_what_arrives_is_what_was_sent(artifact, tmp_path):
    sent = pack(artifact, "int8")
    assert sorted(sent) == ["manifest.json", "onnx/model_quantized.onnx", "tokenizer.json"]
    folder = unpack(sent, tmp_path)
    assert folder.parent.name == sha256_file(artifact / "manifest.json")
    assert {n: (folder / n).read_bytes() for n in sent} == sent
    assert Scorer(folder, "int8").labels == Scorer(artifact, "int8").labels
    assert unpack(sent, tmp_path) == folder
    assert unpack(pack(artifact, "fp32"), tmp_path).parent == folder.parent
    # Nothing half-written lies beside.
    assert len(list(folder.parent.iterdir())) == 2


def test_a_file_that_is_not_the_manifests_is_refused(artifact, tmp_path):
    folder = unpack(pack(artifact, "int8"), tmp_path)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"tokenizer\.json: SHA-256 found \w+, expected \w+ by manifest"):
        unpack(pack(artifact, "int8"), tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(artifact, copy)
    (copy / "onnx" / "model_quantized.onnx").unlink()
    with pytest.raises(ArtifactError, match=r"model_quantized\.onnx: cannot be read"):
        pack(copy, "int8")
    (copy / "manifest.json").write_text("[]")
    with pytest.raises(ArtifactError, match="not an artifact's manifest"):
        pack(copy, "fp32")
