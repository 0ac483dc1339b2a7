"""Pack the files of an artifact that scoring needs, and unpack them on another machine."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from core.artifact import manifest
from core.artifact.manifest import MANIFEST_FILE, TOKENIZER_FILE
from core.contract import VARIANT_FILES
from core.errors import ArtifactError
from core.untrusted import limits, regular_file

Parcel = dict[str, bytes]


def _read(folder: Path, names: tuple[str, ...]) -> Parcel:
    """Read files of an artifact, and check each against the manifest."""
    files = (MANIFEST_FILE, *names)
    parcel = {name: regular_file.read(folder / name, limits.GRAPH_BYTES, ArtifactError) for name in files}
    path = folder / MANIFEST_FILE
    listed = manifest.listed_files(manifest.parse(parcel[MANIFEST_FILE], path), path)
    for name in names:
        sha256 = hashlib.sha256(parcel[name]).hexdigest()
        expected = listed[name].sha256 if name in listed else None
        if sha256 != expected:
            raise ArtifactError(
                f"{folder / name}: SHA-256 found {sha256}, expected {expected} by {MANIFEST_FILE}"
            )
    return parcel


def pack(artifact: Path, variant: str) -> Parcel:
    """Return file name → content of what scoring with one variant needs, the manifest included.

    Raises:
        ArtifactError: a file is missing, or is not what the manifest says.
    """
    return _read(artifact, (VARIANT_FILES[variant], TOKENIZER_FILE))


def unpack(parcel: Parcel, place: Path | None = None) -> Path:
    """Return a folder that holds a parcel's files; this machine's other processes share it.

    Args:
        parcel: what `pack` returned.
        place: where such folders lie; a folder of this user's among the temporary files by default.

    Raises:
        ArtifactError: a folder of that name is there and holds something else.
    """
    place = place or Path(tempfile.gettempdir()) / f"score-artifacts-{os.getuid()}"
    folder = place / hashlib.sha256(parcel[MANIFEST_FILE]).hexdigest()
    # Variants of one artifact share the manifest's hash.
    folder = folder / hashlib.sha256("\n".join(sorted(parcel)).encode()).hexdigest()[:16]
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent))
        for name, content in parcel.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            (temporary / name).write_bytes(content)
        try:
            temporary.rename(folder)
        except OSError:
            # Another process was faster; what it wrote is checked below.
            shutil.rmtree(temporary)
    _read(folder, tuple(name for name in parcel if name != MANIFEST_FILE))
    return folder
