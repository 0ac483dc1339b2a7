"""Tell by content whether an environment holds what a lock file lists. Standard library only."""

from __future__ import annotations

import hashlib
from pathlib import Path

STAMP = "installed"
# The builds of torch that a lock file may name.
TORCH_CPU, TORCH_CUDA = "torch-cpu.txt", "torch-cuda.txt"


def content(lock_file: Path) -> str:
    """Return the SHA-256 of a lock file and of those that it names."""
    listed = lock_file.read_bytes()
    named = [lock_file.with_name(name) for name in (TORCH_CPU, TORCH_CUDA) if name.encode() in listed]
    return hashlib.sha256(b"".join([listed, *(path.read_bytes() for path in named)])).hexdigest()


def is_current(stamp: Path, lock_file: Path) -> bool:
    """Tell whether an environment is complete, and of what a lock file lists; its stamp says of what."""
    if not stamp.is_file():
        return False
    installed = stamp.read_text("ascii")
    # Of before stamps had a content, times alone tell.
    old = not installed and stamp.stat().st_mtime >= lock_file.stat().st_mtime
    return old or installed == content(lock_file)
