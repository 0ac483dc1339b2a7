"""Signed with a key of the user's, verified with its public half: `make test-sign`, in .venv-sign."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from core.artifact import proof
from tests.conftest import ROOT
from verify.proof import bitflips

pytestmark = pytest.mark.sign


def verify(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "verify", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


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
    copy = shutil.copytree(artifact, tmp_path / "copy", copy_function=os.link)
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
    assert "signature there, intact, not verified" in unverified.stdout


def test_the_whole_proof_runs_in_this_environment(signed):
    copy, public = signed
    found = verify("artifact", copy, "--public-key", public)
    assert found.returncode == 0, found.stderr
    assert found.stdout.count("parity ") == 2


def test_another_key_does_not_verify(signed, tmp_path):
    _, other = key_pair(tmp_path, "other")
    found = verify("artifact", signed[0], "--public-key", other, "--hashes-only")
    assert found.returncode == 1
    assert found.stderr.startswith(f"error: {signed[0]}/model.sig: does not verify with {other}: ")


def test_a_forger_who_seals_again_has_no_signature(signed):
    from tests.support.forge import reseal

    copy, public = signed
    path = copy / "thresholds.json"
    text = path.read_text("utf-8")
    path.unlink()
    path.write_text(text.replace("0.2", "0.3", 1), "utf-8")
    reseal(copy)
    assert verify("artifact", copy, "--hashes-only").returncode == 0
    found = verify("artifact", copy, "--public-key", public, "--hashes-only")
    assert found.returncode == 1
    assert "thresholds.json" in found.stderr


def test_signed_twice_is_signed_once(signed, tmp_path):
    private, public = key_pair(tmp_path, "second")
    assert verify("sign", signed[0], "--key", private).returncode == 0
    assert verify("artifact", signed[0], "--public-key", public, "--hashes-only").returncode == 0


@pytest.mark.parametrize("content", [None, b"not a key"])
def test_a_key_that_is_none_is_one_error_and_leaves_no_signature(signed, tmp_path, content):
    key = tmp_path / "none.key"
    if content:
        key.write_bytes(content)
    found = verify("sign", signed[0], "--key", key)
    assert found.returncode == 1
    assert found.stderr.startswith(f"error: {key}: cannot sign with it: ")
    assert not (signed[0] / proof.SIGNATURE_FILE).exists()


def test_every_bit_of_the_signature_counts(signed):
    copy, _ = signed
    size = (copy / proof.SIGNATURE_FILE).stat().st_size
    flips = [bitflips.Flip(proof.SIGNATURE_FILE, byte, bit) for byte in range(0, size, 97) for bit in (0, 6)]
    assert len(flips) > 20
    assert [flip for flip in flips if not bitflips.is_found(copy, flip)] == []
