"""Every byte of an artifact against its manifest, and the manifest against itself. numpy-free and fast."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from core.artifact import seal
from core.artifact.manifest import MANIFEST_FILE
from core.disk.files import sha256_file
from core.errors import ArtifactError
from core.untrusted import json_file

# The signature covers the manifest, so the manifest cannot list it: its hash lies beside it.
SIGNATURE_FILE = "model.sig"
SIGNATURE_HASH_FILE = "model.sig.sha256"
_OUTSIDE = {MANIFEST_FILE, SIGNATURE_FILE, SIGNATURE_HASH_FILE}


class Proved(NamedTuple):
    """A folder whose every byte was accounted for."""

    manifest: dict[str, Any]
    files: int
    size_bytes: int
    signed: bool


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a manifest and check it against its own hash.

    Raises:
        ArtifactError: it is missing, or one of its bytes is not as written.
    """
    path = folder / MANIFEST_FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from error
    wrong = seal.broken(content)
    if wrong:
        raise ArtifactError(f"{path}: changed since it was written, or of an older toolchain: {wrong}")
    found = json_file.loads(content, path, ArtifactError)
    if not isinstance(found, dict) or not isinstance(found.get("files"), dict):
        raise ArtifactError(f"{path}: not an artifact's manifest: lists no files")
    return found


def _present(folder: Path) -> dict[str, Path]:
    """Return name → path of every file; a link, a device or an empty folder is an error."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ArtifactError(f"{folder}: {name}: found a link or a device, expected a file")
        if path.is_file():
            found[name] = path
        elif not any(path.iterdir()):
            raise ArtifactError(f"{folder}: {name}: found an empty folder, which the manifest does not list")
    return found


def _check_file(folder: Path, name: str, path: Path, listed: object) -> None:
    if not isinstance(listed, dict) or set(listed) != {"sha256", "size"}:
        raise ArtifactError(f"{folder / MANIFEST_FILE}: files: {name}: expected a sha256 and a size")
    size = path.stat().st_size
    if size != listed["size"]:
        raise ArtifactError(f"{folder}: {name}: found {size} bytes, expected {listed['size']}")
    digest = sha256_file(path)
    if digest != listed["sha256"]:
        raise ArtifactError(f"{folder}: {name}: SHA-256 found {digest}, expected {listed['sha256']}")


def signature_hash(path: Path) -> str:
    """Return the content of the file that holds a signature's hash."""
    return f"{sha256_file(path)}  {path.name}\n"


def _check_signature(folder: Path, names: set[str]) -> bool:
    present = {SIGNATURE_FILE, SIGNATURE_HASH_FILE} & names
    if not present:
        return False
    for name in sorted({SIGNATURE_FILE, SIGNATURE_HASH_FILE} - present):
        raise ArtifactError(f"{folder}: {name}: missing, where {present.pop()} is there; sign it again")
    stated = (folder / SIGNATURE_HASH_FILE).read_bytes()
    expected = signature_hash(folder / SIGNATURE_FILE)
    if stated != expected.encode():
        raise ArtifactError(f"{folder}: {SIGNATURE_FILE}: not the file that {SIGNATURE_HASH_FILE} states")
    return True


def check_files(folder: Path) -> Proved:
    """Check every byte of every file of an artifact, smallest files first.

    Raises:
        ArtifactError: the first file that is missing, not listed, or not as the manifest has it.
    """
    manifest = read_manifest(folder)
    present, listed = _present(folder), manifest["files"]
    missing = sorted(set(listed) - set(present))
    unlisted = sorted(set(present) - set(listed) - _OUTSIDE)
    if missing:
        raise ArtifactError(f"{folder}: {missing[0]}: missing, though the manifest lists it")
    if unlisted:
        raise ArtifactError(f"{folder}: {unlisted[0]}: not listed in the manifest")
    signed = _check_signature(folder, set(present))
    for name in sorted(listed, key=lambda name: present[name].stat().st_size):
        _check_file(folder, name, present[name], listed[name])
    return Proved(manifest, len(present), sum(path.stat().st_size for path in present.values()), signed)
