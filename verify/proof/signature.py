"""An artifact's signature, by OpenSSF's `model-signing` where that is installed."""

from __future__ import annotations

from pathlib import Path

from core.artifact.proof import SIGNATURE_FILE, SIGNATURE_HASH_FILE, signature_hash
from core.disk.files import write_text
from core.errors import ArtifactError


def _library_missing(error: ImportError) -> ArtifactError:
    return ArtifactError(
        f"model-signing is not installed here ({error}); `make sign` has an environment with it, .venv-sign, "
        "or: pip install model-signing pyOpenSSL"
    )


def check(folder: Path, public_key: Path) -> None:
    """Check the signature of an artifact against a public key.

    Raises:
        ArtifactError: there is none, it is of another key or of other files, or the library is missing.
    """
    path = folder / SIGNATURE_FILE
    if not path.is_file():
        raise ArtifactError(f"{path}: no such file: the artifact is not signed")
    if not public_key.is_file():
        raise ArtifactError(f"{public_key}: no such public key")
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
    """Write `model.sig`, and its hash beside it.

    Raises:
        ArtifactError: the key cannot be read, or the library is missing.
    """
    try:
        from model_signing import hashing, signing
    except ImportError as error:
        raise _library_missing(error) from error
    path, beside = folder / SIGNATURE_FILE, folder / SIGNATURE_HASH_FILE
    beside.unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    files = hashing.Config().set_ignored_paths(paths=[path, beside], ignore_git_paths=False)
    try:
        key = signing.Config().use_elliptic_key_signer(private_key=private_key)
        key.set_hashing_config(files).sign(folder, path)
    except Exception as error:  # as above
        path.unlink(missing_ok=True)
        raise ArtifactError(f"{private_key}: cannot sign with it: {error or type(error).__name__}") from error
    write_text(beside, signature_hash(path))
