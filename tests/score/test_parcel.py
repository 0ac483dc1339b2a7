"""The artifact travels as what its manifest says it is."""

from __future__ import annotations

import os
import shutil

import pytest

from core.disk.files import sha256_file
from core.errors import ArtifactError
from score.engines.parcel import pack, unpack
from score.scorer import Scorer
from tests.support.artifacts import listed, set_metadata


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
    with pytest.raises(ArtifactError, match=r"tokenizer\.json: found other bytes than were sent; remove"):
        unpack(pack(artifact, "int8"), tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(artifact, copy)
    (copy / "onnx" / "model_quantized.onnx").unlink()
    with pytest.raises(ArtifactError, match=r"model_quantized\.onnx: cannot be read"):
        pack(copy, "int8")
    (copy / "manifest.json").write_text("[]")
    with pytest.raises(ArtifactError, match="not an artifact's manifest"):
        pack(copy, "fp32")


def test_a_folder_that_was_there_first_is_not_believed(tiny, tmp_path):
    """With a manifest of its own, which agrees with its files."""
    sent = pack(tiny, "int8")
    folder = unpack(sent, tmp_path)
    set_metadata(folder / "onnx/model_quantized.onnx", max_length="63")
    listed(folder)
    with pytest.raises(ArtifactError, match="found other bytes than were sent"):
        unpack(sent, tmp_path)


def test_a_file_of_the_folder_that_is_a_pipe_does_not_hang(tiny, tmp_path):
    sent = pack(tiny, "int8")
    path = unpack(sent, tmp_path) / "tokenizer.json"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ArtifactError, match="not a regular file"):
        unpack(sent, tmp_path)


@pytest.mark.parametrize("mode", [0o755, 0o1777, 0o770])
def test_a_place_that_others_may_reach_is_refused(tiny, tmp_path, mode):
    place = tmp_path / "place"
    place.mkdir()
    place.chmod(mode)
    with pytest.raises(ArtifactError, match=r"place: found d\S+ of user \d+, expected a folder of user"):
        unpack(pack(tiny, "int8"), place)
    assert list(place.iterdir()) == []


def test_a_place_of_somebody_else_is_refused(tiny, tmp_path, monkeypatch):
    place = tmp_path / "place"
    place.mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(ArtifactError, match=r"place: found drwx------ of user"):
        unpack(pack(tiny, "int8"), place)


def test_a_link_for_a_place_is_refused(tiny, tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "place").symlink_to("elsewhere")
    with pytest.raises(ArtifactError, match=r"place: found lrwx"):
        unpack(pack(tiny, "int8"), tmp_path / "place")
    assert list((tmp_path / "elsewhere").iterdir()) == []
