"""Pack the files of an artifact that scoring needs, and unpack them on another machine."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from core.artifact import manifest
from core.artifact.manifest import MANIFEST_FILE, TOKENIZER_FILE
from core.contract import VARIANT_FILES
from core.errors import ArtifactError
from core.untrusted import limits, regular_file
from core.untrusted.regular_file import naming

Parcel = dict[str, bytes]


def pack(artifact: Path, variant: str) -> Parcel:
    """Return file name → content of what scoring with one variant needs, the manifest included.

    Raises:
        ArtifactError: a file is missing, or is not what the manifest says.
    """
    names = (VARIANT_FILES[variant], TOKENIZER_FILE)
    parcel = {
        name: regular_file.read(artifact / name, limits.GRAPH_BYTES, ArtifactError)
        for name in (MANIFEST_FILE, *names)
    }
    path = artifact / MANIFEST_FILE
    listed = manifest.listed_files(manifest.parse(parcel[MANIFEST_FILE], path), path)
    for name in names:
        sha256 = hashlib.sha256(parcel[name]).hexdigest()
        expected = listed[name].sha256 if name in listed else None
        if sha256 != expected:
            raise ArtifactError(
                f"{artifact / name}: SHA-256 found {sha256}, expected {expected} by {MANIFEST_FILE}"
            )
    return parcel


def _make_private(place: Path) -> None:
    """Make a folder that nobody else writes to; the one that is there must be such.

    Raises:
        ArtifactError: someone else made it, or may write to it.
    """
    with naming(place, ArtifactError, "cannot be made", OSError):
        with suppress(FileExistsError):
            place.mkdir(mode=0o700)
        found = place.lstat()
    private = stat.S_ISDIR(found.st_mode) and not stat.S_IMODE(found.st_mode) & 0o077
    if sys.platform != "win32" and not (private and found.st_uid == os.geteuid()):
        raise ArtifactError(
            f"{place}: found {stat.filemode(found.st_mode)} of user {found.st_uid}, expected a folder of "
            f"user {os.geteuid()} alone; remove it, or set TMPDIR"
        )


def unpack(parcel: Parcel, place: Path | None = None) -> Path:
    """Return a folder that holds a parcel's files; this user's other processes on this machine share it.

    Args:
        parcel: what `pack` returned.
        place: where such folders lie; a folder of this user's among the temporary files by default.

    Raises:
        ArtifactError: `place` is not this user's alone, or a folder of that name holds something else.
    """
    user = os.geteuid() if sys.platform != "win32" else ""
    place = place or Path(tempfile.gettempdir()) / f"score-artifacts-{user}"
    _make_private(place)
    folder = place / hashlib.sha256(parcel[MANIFEST_FILE]).hexdigest()
    # Variants of one artifact share the manifest's hash.
    folder = folder / hashlib.sha256("\n".join(sorted(parcel)).encode()).hexdigest()[:16]
    if not folder.is_dir():
        folder.parent.mkdir(exist_ok=True, mode=0o700)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent))
        for name, content in parcel.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            (temporary / name).write_bytes(content)
        try:
            temporary.rename(folder)
        except OSError:
            # Another process was faster; what it wrote is checked below.
            shutil.rmtree(temporary)
    for name, content in parcel.items():
        if regular_file.read(folder / name, limits.GRAPH_BYTES, ArtifactError) != content:
            raise ArtifactError(f"{folder / name}: found other bytes than were sent; remove {folder}")
    return folder
