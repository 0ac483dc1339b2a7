"""Prove an artifact: every byte against its manifest, and the manifest against its own hash."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from core.artifact import manifest
from core.artifact.manifest import MANIFEST_FILE, FileRecord
from core.errors import ArtifactError, GateError
from core.untrusted import limits, regular_file

# The signature covers the manifest, so the manifest cannot list it: its hash lies beside it.
SIGNATURE_FILE = "model.sig"
SIGNATURE_HASH_FILE = "model.sig.sha256"
SIGNATURE_FILES = {SIGNATURE_FILE, SIGNATURE_HASH_FILE}


class Proof(NamedTuple):
    """The manifest and the files of an artifact every byte of which is accounted for."""

    manifest: dict[str, Any]
    files: dict[str, FileRecord]

    @property
    def size_bytes(self) -> int:
        """The size of all files together."""
        return sum(file.size for file in self.files.values())

    @property
    def signed(self) -> bool:
        """Whether a signature is among the files."""
        return SIGNATURE_FILE in self.files


@contextmanager
def verdict(folder: Path) -> Iterator[None]:
    """Raise what the block finds wrong with an artifact as a verdict on it.

    Raises:
        GateError: the artifact is not what it says it is.
        ArtifactError: there is none, or the system or a missing library is what fails.
    """
    if not folder.is_dir():
        raise ArtifactError(f"{folder}: no such folder, expected an artifact")
    try:
        yield
    except ArtifactError as error:
        cause = error.__cause__
        if isinstance(cause, OSError | ImportError) and not isinstance(cause, FileNotFoundError):
            raise
        raise GateError(str(error)) from error


def _present(folder: Path) -> dict[str, Path]:
    """Return name → path of every file; a link, a device or an empty folder is an error."""
    present: dict[str, Path] = {}
    for path in islice(folder.rglob("*"), limits.ARTIFACT_FILES + 1):
        name = path.relative_to(folder).as_posix()
        if len(present) == limits.ARTIFACT_FILES:
            raise ArtifactError(f"{folder}: found more than {limits.ARTIFACT_FILES} files and folders")
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ArtifactError(f"{folder}: {name}: found a link or a device, expected a file")
        if path.is_dir() and not any(path.iterdir()):
            raise ArtifactError(f"{folder}: {name}: found an empty folder, which the manifest does not list")
        present[name] = path
    return {name: path for name, path in sorted(present.items()) if path.is_file()}


def signature_hash(signature: bytes) -> bytes:
    """Return the content of `model.sig.sha256` for that of `model.sig`."""
    return f"{hashlib.sha256(signature).hexdigest()}  {SIGNATURE_FILE}\n".encode()


def _check_signature(folder: Path, present: set[str]) -> None:
    if len(present) == 1:
        (missing,) = SIGNATURE_FILES - present
        raise ArtifactError(f"{folder}: {missing}: missing, where {present.pop()} is there; sign it again")
    names = (SIGNATURE_FILE, SIGNATURE_HASH_FILE) if present else ()
    found = [regular_file.read(folder / name, limits.JSON_BYTES, ArtifactError) for name in names]
    if found and found[1] != signature_hash(found[0]):
        problem = f"not the file that {SIGNATURE_HASH_FILE} states; sign it again"
        raise ArtifactError(f"{folder}: {SIGNATURE_FILE}: {problem}")


def check_listed(folder: Path) -> Proof:
    """Check every byte of an artifact but those of its signature, smallest files first.

    Raises:
        ArtifactError: the first file that is missing, not listed, or not as the manifest has it.
    """
    path = folder / MANIFEST_FILE
    content = regular_file.read(path, limits.JSON_BYTES, ArtifactError)
    wrong = manifest.broken_seal(content)
    if wrong:
        raise ArtifactError(f"{path}: changed since it was written, or of an older toolchain: {wrong}")
    fields = manifest.parse(content, path)
    listed = manifest.listed_files(fields, path)
    others = sorted(set(listed) - manifest.RELEASED)
    if others:
        raise ArtifactError(f"{path}: files: found {others[0]}, which is no file of an artifact")
    present = _present(folder)
    missing = sorted(set(listed) - set(present))
    unlisted = sorted(set(present) - set(listed) - SIGNATURE_FILES - {MANIFEST_FILE})
    if missing:
        raise ArtifactError(f"{folder}: {missing[0]}: missing, though the manifest lists it")
    if unlisted:
        raise ArtifactError(f"{folder}: {unlisted[0]}: not listed in the manifest")
    for name in sorted(listed, key=lambda name: listed[name].size):
        manifest.check_file(folder, name, listed[name])
    unstated = {name: FileRecord(**manifest.entry(folder / name)) for name in set(present) - set(listed)}
    return Proof(fields, dict(sorted({**listed, **unstated}.items())))


def check_files(folder: Path) -> Proof:
    """Check every byte of every file of an artifact; a signature's, against the hash that lies beside it.

    Whether a signature is somebody's is for `verify.proof.signature`.

    Raises:
        ArtifactError: as `check_listed`, or half of a signature is missing, or it is not as it was written.
    """
    proof = check_listed(folder)
    _check_signature(folder, SIGNATURE_FILES & set(proof.files))
    return proof
