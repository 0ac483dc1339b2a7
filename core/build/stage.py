"""Run one stage of a build: alone in the build's folder, its stamp written last."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from core.disk import lock
from core.disk.files import write_text

# The stamps of the stages, in their order.
EXPORTED, GRAPHS, VERIFIED = ".exported", ".graphs", ".verified"


def run(build: Path, stamp: str, work: Callable[[], object]) -> None:
    """Do a stage's work with the build's folder to itself, then write its stamp.

    One that had to wait for another build does nothing where that has done the same meanwhile.

    Raises:
        ArtifactError: the folder cannot be written.
    """
    begun = time.time()
    path = build / stamp
    with lock.build(build) as waited:
        if waited and path.is_file() and path.stat().st_mtime >= begun:
            return
        work()
        write_text(path, "")
