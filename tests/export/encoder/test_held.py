"""What is loaded is what was hashed: a file that is swapped while a build reads it ends that build."""

from __future__ import annotations

import json
import shutil

import pytest

from core.errors import CheckpointError
from core.untrusted import held, regular_file
from export.__main__ import main as export
from export.encoder import torch_encoder
from tests.support.building import make, tiny
from tests.support.commands import assert_failed
from tests.support.factories import Shape, write_checkpoint, write_head


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A recipe with its encoder and head, and others to put in their place."""
    folder = tmp_path_factory.mktemp("held")
    tiny(folder)
    write_checkpoint(folder / "other" / "encoder", Shape(layers=1), "cls", seed=7)
    write_head(folder / "other" / "head", ["joy", "anger", "neutral"], 24, seed=7)
    tokenizer = (folder / "encoder" / "tokenizer.json").read_text("utf-8")
    (folder / "other" / "encoder" / "tokenizer.json").write_text(tokenizer + "\n", "utf-8")
    (folder / "other" / "head" / "thresholds.json").write_text('{"joy": 0.9, "anger": 0.9, "neutral": 0.9}')
    return folder


@pytest.mark.parametrize(
    "name", ["encoder/model.safetensors", "encoder/tokenizer.json", "head/model.onnx", "head/thresholds.json"]
)
@pytest.mark.parametrize("step", ["first", "hash"])
def test_a_file_that_is_swapped_while_the_build_reads_it(pair, tmp_path, in_process, monkeypatch, name, step):
    for folder in ("encoder", "head", "tiny"):
        shutil.copytree(pair / folder, tmp_path / folder)
    target, reads = tmp_path / name, []
    opened = regular_file.opened

    def swapping(path, limit, error):
        if path.resolve() == target:
            reads.append(path)
            # After it was read for the first time, or before it is read for the last time.
            if len(reads) == (2 if step == "first" else 3):
                shutil.copyfile(pair / "other" / name, target)
        return opened(path, limit, error)

    monkeypatch.setattr(regular_file, "opened", swapping)
    result = in_process(export, "build", tmp_path / "tiny", tmp_path / "build")
    assert_failed(result, name.split("/")[1], "changed while the build read it")
    assert not (tmp_path / "build" / ".exported").exists()
    assert not held._first


def test_weights_are_read_as_transformers_reads_them(pair, offline):
    from transformers import AutoModel

    ours = torch_encoder.load(pair / "encoder").state_dict()
    theirs = AutoModel.from_pretrained(pair / "encoder", add_pooling_layer=False).state_dict()
    assert list(ours) == list(theirs)
    assert all((ours[name] == theirs[name]).all() for name in ours)


def test_a_vocabulary_that_its_readers_would_number_otherwise_through_make(pair, tmp_path):
    for folder in ("encoder", "head", "tiny"):
        shutil.copytree(pair / folder, tmp_path / folder)
    path = tmp_path / "encoder" / "tokenizer.json"
    whole = json.loads(path.read_text("utf-8"))
    for word, said in (("the\nend", "found token 'the\\nend'"), (None, "found no token")):
        content = json.loads(json.dumps(whole))
        vocabulary = content["model"]["vocab"]
        number = vocabulary.pop("the")
        if word is not None:
            vocabulary[word] = number
        path.write_text(json.dumps(content), "utf-8")
        told = make("artifact", RECIPE=tmp_path / "tiny", BUILD=tmp_path / "build", DIST=tmp_path / "dist")
        assert told.returncode == 2
        lines = [line for line in told.stderr.splitlines() if not line.startswith("make: ***")]
        assert len(lines) == 1
        assert said in lines[0]
    assert not (tmp_path / "dist").exists()


def test_a_folder_is_held_no_longer_than_asked(tmp_path):
    path = tmp_path / "file"
    path.write_text("a")
    with held.holding(tmp_path):
        assert regular_file.read(path, 10, CheckpointError) == b"a"
        path.write_text("b")
        with pytest.raises(CheckpointError, match="changed while the build read it"):
            regular_file.sha256(path, 10, CheckpointError)
    assert regular_file.read(path, 10, CheckpointError) == b"b"
