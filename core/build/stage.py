"""Run one stage of a build: alone in the build's folder, on the sources of its own make line."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from core.build import inputs
from core.disk import lock
from core.disk.files import write_text
from core.errors import ArtifactError

# The stamps of the stages, in their order.
STAMPS = EXPORTED, GRAPHS, VERIFIED = ".exported", ".graphs", ".verified"


def _require(stamps: tuple[str, ...], build: Path, recipe: Path) -> None:
    """Refuse a folder that another make line's build has taken over between two stages of this one."""
    missing = [stamp for stamp in stamps if not (build / stamp).is_file()]
    found = f"no {missing[0]}" if missing else inputs.described(build)
    expected = inputs.describe(recipe, inputs.overrides())
    if stamps and found != expected:
        raise ArtifactError(
            f"{build}: found {found}, expected a build of {expected}; "
            "builds of different sources need different folders, or one after the other"
        )


def _number(build: Path, product: Path) -> int:
    """Return how many stages come before the one that writes a file: all, before the release."""
    return STAMPS.index(product.name) if product.parent == build else len(STAMPS)


def run_alone(recipe: Path, build: Path, product: Path, work: Callable[[], object]) -> None:
    """Do a stage's work, whose last file is `product`, with the build's folder to itself.

    A stage that had to wait for another build does nothing where that has done the same meanwhile.

    Raises:
        ArtifactError: the folder cannot be written, or holds the export of other sources than this
            process's: builds take turns stage by stage.
    """
    begun = time.time()
    with lock.build(build) as waited:
        _require(STAMPS[: _number(build, product)], build, recipe)
        done_meanwhile = waited and product.is_file() and product.stat().st_mtime >= begun
        if not (done_meanwhile and inputs.are_recorded(build, recipe, inputs.overrides())):
            work()


def run(recipe: Path, build: Path, stamp: str, work: Callable[[], object]) -> None:
    """Do a stage's work alone, and write its stamp last; at work, it has none, nor have later stages.

    Raises:
        ArtifactError: as `run_alone` does.
    """
    path = build / stamp

    def stamped() -> None:
        for later in STAMPS[STAMPS.index(stamp) :]:
            (build / later).unlink(missing_ok=True)
        work()
        write_text(path, "")

    run_alone(recipe, build, path, stamped)
