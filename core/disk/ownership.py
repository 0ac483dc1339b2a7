"""Tell folders that this project made from all others: only in those are files written over or removed.

Standard library only.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path

from core.errors import ArtifactError

# In every build's folder from the first moment on; the others are what builds of before it left.
BUILD_STAMP = ".build"
_BUILD_STAMPS = (BUILD_STAMP, ".inputs", ".exported")


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def check(folder: Path, stamps: Iterable[str]) -> None:
    """Check that a folder is new, empty, or holds a stamp of this project, and has a name of its own.

    Raises:
        ArtifactError: it is another, a file or a device, or the name is that of a folder above.
    """
    expected = f"expected a new folder, an empty one, or one with {' or '.join(stamps)} in it"
    if folder.name in ("", ".", ".."):
        raise ArtifactError(f"{folder}: found no name of a folder's own, {expected}")
    try:
        if not folder.exists() and not folder.is_symlink():
            return
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise ArtifactError(f"{folder}: {error.strerror or error}; {expected}") from error
    if names and not any(_is_file(folder / stamp) for stamp in stamps):
        raise ArtifactError(f"{folder}: found {names[0]} and others, {expected}; it is left as it is")


def check_replaceable(folder: Path, stamp: str) -> None:
    """Check as `check` does a folder whose place another will take, which is not a link.

    Raises:
        ArtifactError: as `check` does, or it is a link.
    """
    if folder.is_symlink():
        raise ArtifactError(f"{folder}: found a link, expected a folder, which can be replaced")
    check(folder, (stamp,))


def claim(folder: Path) -> None:
    """Make a build's folder, or check that it is one, and stamp it as such.

    Raises:
        ArtifactError: it cannot be made, or holds files and no stamp of a build's.
    """
    check(folder, _BUILD_STAMPS)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # At once, not beside and then moved: another build may be looking.
        (folder / BUILD_STAMP).touch()
    except OSError as error:
        raise ArtifactError(f"{folder}: cannot be written: {error.strerror or error}") from error
