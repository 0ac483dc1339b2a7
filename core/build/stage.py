"""Run one stage of a build: alone in the build's folder, on the sources of its own make line."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from core.build import inputs
from core.disk import lock
from core.disk.files import write_text
from core.errors import ArtifactError

# The stamps of the stages, in their order.
STAMPS = EXPORTED, GRAPHS, VERIFIED = ".exported", ".graphs", ".verified"
# The variable in which make says when it began.
BEGUN = "BUILD_BEGUN"


def _require(stamps: tuple[str, ...], build: Path, recipe: Path) -> None:
    """Refuse a folder that another make line's build has taken over between two stages of this one."""
    missing = [stamp for stamp in stamps if not (build / stamp).is_file()]
    if missing:
        raise ArtifactError(
            f"{build}: found no {missing[0]}: a stage before this one did not end; run make again"
        )
    found, expected = inputs.described(build), inputs.describe(recipe, inputs.overrides())
    if stamps and found != expected:
        raise ArtifactError(
            f"{build}: found {found}, expected a build of {expected}; "
            "builds of different sources need different folders, or one after the other"
        )


# What each stage, and the release, depends on of what was written down.
_RECORDS = dict(zip(STAMPS, (inputs.RECORDS[:1], inputs.RECORDS[:2], inputs.RECORDS), strict=True))


def _is_newer(product: Path, begun: float, before: list[Path]) -> bool:
    oldest = max([begun, *(path.stat().st_mtime for path in before)])
    return product.is_file() and product.stat().st_mtime >= oldest


def run_alone(recipe: Path, build: Path, product: Path, work: Callable[[], object]) -> None:
    """Do a stage's work, whose last file is `product`, with the build's folder to itself.

    It does nothing where another build has done the same since this one began.

    Raises:
        ArtifactError: the folder cannot be written, or holds the export of other sources than this
            process's: builds take turns stage by stage.
    """
    # When the build began that this stage belongs to: make says so in whole seconds, cut off.
    begun = float(os.environ[BEGUN]) + 1 if BEGUN in os.environ else time.time()
    # Before the release come all of them.
    before = STAMPS[: STAMPS.index(product.name)] if product.name in STAMPS else STAMPS
    with lock.build(build):
        _require(before, build, recipe)
        done_meanwhile = _is_newer(product, begun, [build / stamp for stamp in before])
        records = _RECORDS.get(product.name, inputs.RECORDS)
        if not done_meanwhile or set(records) & set(inputs.due(build, recipe, inputs.overrides())):
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
