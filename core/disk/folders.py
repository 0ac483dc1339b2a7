"""Replace a folder by another in one step: there is always one of the two. Standard library only."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.disk.files import UNFINISHED, sync
from core.disk.ownership import check_replaceable

_NEW, _OLD = "new", "old"
# linux/fcntl.h, sys/stdio.h of macOS
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_RENAME_SWAP = 2
_CANNOT_EXCHANGE = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EXDEV, errno.EPERM}


def exchange(first: Path, second: Path) -> bool:
    """Exchange the names of two existing paths in one step; False where this system cannot.

    Linux: renameat2 with RENAME_EXCHANGE; macOS: renamex_np with RENAME_SWAP.

    Raises:
        OSError: it can, but not these two.
    """
    library = ctypes.CDLL(None, use_errno=True)
    paths = os.fsencode(first), os.fsencode(second)
    if sys.platform == "linux" and hasattr(library, "renameat2"):
        failed = library.renameat2(_AT_FDCWD, paths[0], _AT_FDCWD, paths[1], _RENAME_EXCHANGE)
    elif hasattr(library, "renamex_np"):
        failed = library.renamex_np(*paths, _RENAME_SWAP)
    else:
        return False
    if not failed:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number), str(second))


def _leftovers(target: Path) -> list[Path]:
    # No dot in the random part of the name: the folders of `a` are not those of `a.b`.
    name = re.compile(rf"\.{re.escape(target.name)}\.[^.]+{re.escape(UNFINISHED)}")
    found = sorted(path for path in target.parent.iterdir() if name.fullmatch(path.name))
    return [path for path in found if _is_ours(path)]


def _is_ours(folder: Path) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    return {path.name for path in folder.iterdir()} <= {_NEW, _OLD}


def recover(target: Path) -> None:
    """Restore what a kill between two renames took away, and remove what kills left beside `target`.

    Raises:
        OSError: the folder around it cannot be written.
    """
    for folder in _leftovers(target):
        if (folder / _OLD).exists() and not target.exists():
            (folder / _OLD).rename(target)
            sync(target.parent)
        shutil.rmtree(folder)


def _replace(fresh: Path, target: Path, old: Path) -> None:
    for path in [*fresh.rglob("*"), fresh]:
        sync(path)
    if not target.exists():
        fresh.rename(target)
    elif not exchange(fresh, target):
        # Two steps; `recover` knows by `old` that a kill came between them.
        target.rename(old)
        try:
            fresh.rename(target)
        except OSError:
            old.rename(target)
            raise
    sync(target.parent)


@contextmanager
def replacing_folder(target: Path, stamp: str) -> Iterator[Path]:
    """Yield an empty folder beside `target`; on success it takes `target`'s place, else it vanishes.

    Its files are on the disk before it has the name. One process at a time: `recover` runs first.

    Args:
        stamp: the file in every such folder, without which a folder is never replaced.

    Raises:
        ArtifactError: `target` is a folder of other files, a link or no folder.
        OSError: something cannot be written.
    """
    check_replaceable(target, stamp)
    target.parent.mkdir(parents=True, exist_ok=True)
    recover(target)
    check_replaceable(target, stamp)
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=UNFINISHED, dir=target.parent))
    try:
        fresh = beside / _NEW
        fresh.mkdir()
        yield fresh
        _replace(fresh, target, beside / _OLD)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
