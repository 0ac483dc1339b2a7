"""Signed with a key of the user's, verified with its public half: `make test-sign`, in .venv-sign."""

from __future__ import annotations

import os

import pytest

from core.artifact import proof
from tests.fuzz import bitflips
from tests.support.commands import call, environment_of_make, run
from tests.support.forge import linked_copy, reseal, rewrite
from tests.support.places import ROOT

pytestmark = pytest.mark.sign


def verify(*arguments):
    return run("verify", *arguments)


def key_pair(folder, name):
    """Write NAME.key and NAME.pub, PEM, on the curve P-256."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    private, public = folder / f"{name}.key", folder / f"{name}.pub"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public


@pytest.fixture
def signed(artifact, tmp_path):
    """A signed copy, whose large files are the artifact's own, and the public key."""
    copy = linked_copy(artifact, tmp_path / "copy")
    for name in proof.SIGNATURE_FILE, proof.SIGNATURE_HASH_FILE:
        (copy / name).unlink(missing_ok=True)
    private, public = key_pair(tmp_path, "mine")
    found = verify("sign", copy, "--key", private)
    assert found.returncode == 0, found.stderr
    return copy, public


def test_a_signed_artifact_verifies_and_signs_every_file_but_the_signature(signed, artifact):
    copy, public = signed
    found = verify("artifact", copy, "--public-key", public, "--hashes-only")
    assert found.returncode == 0, found.stderr
    assert f"signature verified with {public}" in found.stdout
    unverified = verify("artifact", copy, "--hashes-only")
    assert "by whom was not looked at" in unverified.stdout


def test_the_whole_proof_runs_in_this_environment(signed):
    copy, public = signed
    found = verify("artifact", copy, "--public-key", public)
    assert found.returncode == 0, found.stderr
    # Three variants, and the graph that takes texts.
    assert found.stdout.count("parity ") == 4


def test_another_key_does_not_verify(signed, tmp_path):
    _, other = key_pair(tmp_path, "other")
    found = verify("artifact", signed[0], "--public-key", other, "--hashes-only")
    assert found.returncode == 1
    assert found.stderr.startswith(f"error: {signed[0]}/model.sig: does not verify with {other}: ")


def test_a_forger_who_seals_again_has_no_signature(signed):
    copy, public = signed
    path = copy / "thresholds.json"
    rewrite(path, path.read_bytes().replace(b"0.2", b"0.3", 1))
    reseal(copy)
    assert verify("artifact", copy, "--hashes-only").returncode == 0
    found = verify("artifact", copy, "--public-key", public, "--hashes-only")
    assert found.returncode == 1
    assert "thresholds.json" in found.stderr


def test_signed_twice_is_signed_once(signed, tmp_path):
    private, public = key_pair(tmp_path, "second")
    assert verify("sign", signed[0], "--key", private).returncode == 0
    assert verify("artifact", signed[0], "--public-key", public, "--hashes-only").returncode == 0


@pytest.mark.parametrize(
    ("content", "said"), [(None, "no such private key"), (b"not a key", "cannot sign with it: ")]
)
def test_a_key_that_is_none_is_one_error_and_leaves_the_signature_valid(signed, tmp_path, content, said):
    copy, public = signed
    key = tmp_path / "none.key"
    if content:
        key.write_bytes(content)
    found = verify("sign", copy, "--key", key)
    assert found.returncode == 2
    assert found.stderr.startswith(f"error: {key}: {said}")
    assert verify("artifact", copy, "--public-key", public, "--hashes-only").returncode == 0


@pytest.mark.parametrize("lost", [proof.SIGNATURE_FILE, proof.SIGNATURE_HASH_FILE])
def test_half_a_signature_is_made_whole_by_signing_again(signed, tmp_path, lost):
    (signed[0] / lost).unlink()
    private, public = key_pair(tmp_path, "second")
    assert verify("artifact", signed[0], "--hashes-only").returncode == 1
    assert verify("sign", signed[0], "--key", private).returncode == 0
    assert verify("artifact", signed[0], "--public-key", public, "--hashes-only").returncode == 0


def make(*arguments):
    return call("make", *arguments, env=environment_of_make("ARTIFACT"))


def test_signed_verified_and_published_through_make_with_relative_paths(artifact, tmp_path):
    """As people do it: make passes on paths that are relative to the project's folder."""
    copy = linked_copy(artifact, tmp_path / "copy")
    private, public = (os.path.relpath(path, ROOT) for path in key_pair(tmp_path, "mine"))
    folder = f"ARTIFACT={os.path.relpath(copy, ROOT)}"
    signed = make("sign", folder, f"KEY={private}")
    assert signed.returncode == 0, signed.stderr
    verified = make("verify-artifact", folder, f"PUBLIC_KEY={public}")
    assert verified.returncode == 0, verified.stderr
    assert f"signature verified with {public}" in verified.stdout
    published = make("publish", folder, "REPO=me/emotions", "DRY_RUN=1")
    assert published.returncode == 0, published.stderr
    names = {line.split()[-1] for line in published.stdout.splitlines() if " bytes  " in line}
    assert {proof.SIGNATURE_FILE, proof.SIGNATURE_HASH_FILE, "manifest.json", "onnx/model.onnx"} <= names
    # Where it is signed and where it is verified need not be the same place.
    moved = tmp_path / "elsewhere"
    copy.rename(moved)
    found = verify("artifact", moved, "--public-key", tmp_path / "mine.pub", "--hashes-only")
    assert found.returncode == 0, found.stderr


def test_every_bit_of_the_signature_counts(signed):
    copy, _ = signed
    size = (copy / proof.SIGNATURE_FILE).stat().st_size
    flips = [bitflips.Flip(proof.SIGNATURE_FILE, byte, bit) for byte in range(0, size, 97) for bit in (0, 6)]
    assert len(flips) > 20
    assert [flip for flip in flips if not bitflips.is_detected(copy, flip)] == []
