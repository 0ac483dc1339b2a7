"""Killing: a function at one of its file operations, a process group at a moment."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

_OPERATIONS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.copyfile", "shutil.rmtree")


def killed_at(operation: int, work: Callable[[], object]) -> bool:
    """Run `work` in a process that SIGKILLs itself before its n-th file operation; False: it had fewer.

    Raises:
        AssertionError: it failed by itself.
    """
    child = os.fork()
    if child == 0:
        done = 0

        def count(event: str, _: tuple[object, ...]) -> None:
            nonlocal done
            if event in _OPERATIONS:
                done += 1
                if done == operation:
                    os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.addaudithook(count)
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def content(folder: Path) -> dict[str, str]:
    """Return name → SHA-256 of everything in a folder; folders as well, so that an empty one counts."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in sorted(folder.rglob("*"))
    }


def is_whole(artifact: Path) -> bool:
    """Whether an artifact's files are exactly those of its manifest, by hash; read without the project."""
    listed = json.loads((artifact / "manifest.json").read_text("utf-8"))["files"]
    found = {name: value for name, value in content(artifact).items() if value != "folder"}
    del found["manifest.json"]
    return found == {name: file["sha256"] for name, file in listed.items()}
