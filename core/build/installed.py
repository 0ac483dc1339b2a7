"""Tell by content whether an environment holds what a lock file lists. Standard library only."""

from __future__ import annotations

import hashlib
from pathlib import Path

STAMP = "installed"
# The builds of torch that a lock file may name, by what TORCH= calls them.
TORCH_CPU, TORCH_CUDA = "torch-cpu.txt", "torch-cuda.txt"
BUILDS = {"cpu": TORCH_CPU, "cuda": TORCH_CUDA}


def needs_torch(lock_file: Path) -> bool:
    """Tell whether a lock file names the builds of torch."""
    return TORCH_CPU.encode() in lock_file.read_bytes()


def content(lock_file: Path) -> str:
    """Return the SHA-256 of a lock file and of those that it names."""
    named = [lock_file.with_name(name) for name in BUILDS.values()] if needs_torch(lock_file) else []
    return hashlib.sha256(b"".join(path.read_bytes() for path in [lock_file, *named])).hexdigest()


def build_of(stamp: Path) -> str:
    """Return which build of torch an environment has, `cpu` or `cuda`; nothing where it does not say."""
    words = stamp.read_text("ascii").split() if stamp.is_file() else []
    return words[1] if len(words) > 1 else ""


def is_current(stamp: Path, lock_file: Path, torch: str = "") -> bool:
    """Tell whether an environment is complete, and of what a lock file lists; its stamp says of what.

    Args:
        stamp: written last.
        lock_file: what the environment is made from.
        torch: the build that was asked for, `cpu` or `cuda`; empty where either will do.
    """
    if not stamp.is_file():
        return False
    if torch and needs_torch(lock_file) and torch != build_of(stamp):
        return False
    digest = stamp.read_text("ascii").split(" ")[0]
    # Of before stamps had a content, times alone tell.
    old = not digest and stamp.stat().st_mtime >= lock_file.stat().st_mtime
    return old or digest == content(lock_file)
