"""Hold files to what they were when they were first read: what is loaded is what was hashed.

A file that is swapped between two reads of one build would else be loaded under another's hash. Standard
library only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import ToolchainError

_folders: list[str] = []
_first: dict[str, str] = {}


def _name(path: Path) -> str:
    # As it was named: a link that leads elsewhere by now is one of the swaps.
    return os.path.abspath(path)  # noqa: PTH100


@contextmanager
def holding(*folders: Path) -> Iterator[None]:
    """In the block, hold all that the readers read below some folders to its first content."""
    _folders.extend(map(_name, folders))
    try:
        yield
    finally:
        _folders.clear()
        _first.clear()


def is_held(path: Path) -> bool:
    """Tell whether a file is below a folder that is held."""
    name = _name(path)
    return any(os.path.commonpath([folder, name]) == folder for folder in _folders)


def check(path: Path, sha256: str, error: type[ToolchainError]) -> None:
    """Hold a file's SHA-256 to that of its first content.

    Raises:
        error: it is another.
    """
    if is_held(path) and _first.setdefault(_name(path), sha256) != sha256:
        raise error(f"{path}: changed while the build read it; run it again when nothing writes there")
