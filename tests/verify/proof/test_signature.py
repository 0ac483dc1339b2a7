"""What is checked before the signing library is asked; signing itself is tested by `make test-sign`."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from core.artifact import proof
from core.errors import ArtifactError
from tests.support.commands import call, environment_of_make, run
from tests.support.forge import linked_copy
from verify.proof import signature

OLD = b'{"a": "signature"}'


@pytest.fixture
def signed(artifact, tmp_path):
    """A copy with a signature that is intact."""
    copy = linked_copy(artifact, tmp_path / "copy")
    (copy / "model.sig").write_bytes(OLD)
    (copy / "model.sig.sha256").write_bytes(proof.signature_hash(OLD))
    return copy


class Signer:
    """A stand-in for the library: it fails, or writes a signature that names what it was given."""

    def __init__(self, error):
        self.error = error

    def use_elliptic_key_signer(self, private_key):
        return self

    def set_hashing_config(self, config):
        self.ignored = config.paths
        return self

    def sign(self, folder, path):
        if self.error:
            raise self.error
        path.write_text(f"{sorted(p.name for p in folder.iterdir() if p.is_file())} without {self.ignored}")


class Hashing:
    def set_ignored_paths(self, paths, ignore_git_paths):
        assert not ignore_git_paths
        self.paths = sorted(map(str, paths))
        return self


@pytest.fixture
def library(monkeypatch):
    def install(error=None):
        module = ModuleType("model_signing")
        module.hashing = SimpleNamespace(Config=Hashing)
        module.signing = SimpleNamespace(Config=lambda: Signer(error))
        monkeypatch.setitem(sys.modules, "model_signing", module)

    return install


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "private.pem"
    path.write_text("a key")
    return path


@pytest.mark.parametrize("name", ["missing.pem", "."])
def test_a_key_that_is_not_there_is_one_error_and_the_old_signature_stays(signed, tmp_path, name):
    found = run("verify", "sign", signed, "--key", tmp_path / name)
    assert found.returncode == 2
    assert found.stderr == f"error: {tmp_path / name}: no such private key\n"
    assert proof.check_files(signed).signed
    assert (signed / "model.sig").read_bytes() == OLD


def test_a_library_that_fails_or_is_missing_leaves_the_old_signature(signed, key, library, monkeypatch):
    monkeypatch.setitem(sys.modules, "model_signing", None)
    with pytest.raises(ArtifactError, match="model-signing is not installed here"):
        signature.sign(signed, key)
    library(ValueError("no curve"))
    with pytest.raises(ArtifactError, match=r"private\.pem: cannot sign with it: no curve"):
        signature.sign(signed, key)
    assert proof.check_files(signed).signed
    assert (signed / "model.sig").read_bytes() == OLD


def test_the_signature_is_over_all_files_but_itself_by_names_that_hold_anywhere(signed, key, library):
    library()
    signature.sign(signed, key)
    text = (signed / "model.sig").read_text("utf-8")
    assert text.endswith("without ['model.sig', 'model.sig.sha256']")
    assert "manifest.json" in text
    assert proof.check_files(signed).signed


@pytest.mark.parametrize("lost", ["model.sig", "model.sig.sha256"])
def test_half_a_signature_is_not_proved_and_can_be_made_anew(signed, lost):
    (signed / lost).unlink()
    found = run("verify", "artifact", signed, "--hashes-only")
    assert found.returncode == 1
    assert f"{lost}: missing" in found.stderr
    assert "sign it again" in found.stderr
    # Signing begins with the proof of all other files.
    assert "manifest.json" in proof.check_listed(signed).files


def test_a_changed_artifact_is_not_signed(signed, key):
    (signed / "more.txt").write_text("x")
    found = run("verify", "sign", signed, "--key", key)
    assert found.returncode == 1
    assert "more.txt: not listed in the manifest" in found.stderr
    assert (signed / "model.sig").read_bytes() == OLD


def test_make_sign_without_a_key_says_what_it_needs():
    found = call("make", "sign", env=environment_of_make())
    assert found.returncode != 0
    assert found.stdout == ""
    assert "make sign KEY=FILE: name a private key" in found.stderr
    assert len(found.stderr.splitlines()) == 1
