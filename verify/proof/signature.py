"""Sign an artifact, and verify its signature, by OpenSSF's `model-signing` where that is installed."""

from __future__ import annotations

import tempfile
from pathlib import Path

from core.artifact.proof import SIGNATURE_FILE, SIGNATURE_HASH_FILE, signature_hash
from core.disk.files import write_bytes
from core.errors import ArtifactError


def _library_missing(error: ImportError) -> ArtifactError:
    return ArtifactError(
        f"model-signing is not installed here ({error}); `make sign` has an environment with it, .venv-sign, "
        "or: pip install model-signing pyOpenSSL"
    )


def check_key(public_key: Path) -> None:
    """Check that there is such a key.

    Raises:
        ArtifactError: there is none.
    """
    if not public_key.is_file():
        raise ArtifactError(f"{public_key}: no such public key")


def verify(folder: Path, public_key: Path) -> None:
    """Verify the signature of an artifact with a public key.

    Raises:
        ArtifactError: there is none, it is of another key or of other files, or the library is missing.
    """
    path = folder / SIGNATURE_FILE
    if not path.is_file():
        raise ArtifactError(f"{path}: no such file: the artifact is not signed")
    check_key(public_key)
    try:
        from model_signing import verifying
    except ImportError as error:
        raise _library_missing(error) from error
    try:
        verifying.Config().use_elliptic_key_verifier(public_key=public_key).verify(folder, path)
    except Exception as error:  # the library and its own raise what they like
        reason = str(error) or type(error).__name__
        raise ArtifactError(f"{path}: does not verify with {public_key}: {reason}") from error


def sign(folder: Path, private_key: Path) -> None:
    """Write `model.sig`, and its hash beside it; a signature that is there stays until the new one is made.

    Raises:
        ArtifactError: the key cannot be read, or the library is missing.
    """
    if not private_key.is_file():
        raise ArtifactError(f"{private_key}: no such private key")
    try:
        from model_signing import hashing, signing
    except ImportError as error:
        raise _library_missing(error) from error
    # Relative to the folder: as such they stand in the signature, for whoever verifies it.
    unsigned = [SIGNATURE_FILE, SIGNATURE_HASH_FILE]
    files = hashing.Config().set_ignored_paths(paths=unsigned, ignore_git_paths=False)
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch) / SIGNATURE_FILE
        try:
            key = signing.Config().use_elliptic_key_signer(private_key=private_key)
            key.set_hashing_config(files).sign(folder, made)
            signature = made.read_bytes()
        except Exception as error:  # as above
            reason = str(error) or type(error).__name__
            raise ArtifactError(f"{private_key}: cannot sign with it: {reason}") from error
    write_bytes(folder / SIGNATURE_FILE, signature)
    write_bytes(folder / SIGNATURE_HASH_FILE, signature_hash(signature))
