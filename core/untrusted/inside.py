"""Join a name that an untrusted file states to a folder, so that it stays inside. Standard library only."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TypeGuard

from core.errors import ToolchainError

_LONGEST = 255
# What ends a name for some system, or begins another place: Windows' drives and folders, NUL.
_FORBIDDEN = set('\\:\0*?"<>|')


def is_plain(name: object) -> TypeGuard[str]:
    """Whether a name is one inside a folder, written in one way alone, for every system and terminal."""
    if not isinstance(name, str) or not name.isprintable() or _FORBIDDEN & set(name):
        return False
    parts = PurePosixPath(name).parts
    return bool(parts) and "/".join(parts) == name and ".." not in parts and max(map(len, parts)) <= _LONGEST


def check_no_link(folder: Path, path: Path, error: type[ToolchainError]) -> None:
    """Check that neither `path`, which lies in `folder`, nor a folder between the two is a link.

    Raises:
        error: one is.
    """
    parts = path.relative_to(folder).parts
    for count in range(1, len(parts) + 1):
        place = folder.joinpath(*parts[:count])
        if place.is_symlink():
            hint = "a copy that follows links (cp -rL) is one"
            raise error(f"{place}: found a link, expected a file of the folder's own; {hint}")


def join(folder: Path, name: object, place: object, error: type[ToolchainError]) -> Path:
    """Return the path of a file that `place` calls `name`; whether it is there does not matter.

    Raises:
        error: the name is absolute, has `..`, a backslash, a drive or what no terminal should see in it, or
            leads through a link.
    """
    if not is_plain(name):
        shown = repr(name)
        shown = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
        raise error(f"{place}: file: found {shown}, expected one inside the folder")
    path = folder / name
    check_no_link(folder, path, error)
    return path
