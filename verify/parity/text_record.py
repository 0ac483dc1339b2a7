"""What was measured of the graph that takes texts, for the manifest."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.contract import TEXT_FILE, VARIANT_FILES
from core.errors import GateError

if TYPE_CHECKING:
    from verify.build import Build

TEXT_RECORD_FILE = "text.json"


def path(build: Build) -> Path:
    """Return the path of a build's graph that takes texts."""
    return build.folder / Path(TEXT_FILE).name


def copy(build: Build, folder: Path) -> None:
    """Copy the graph into an artifact, where the recipe has one."""
    if build.recipe.text is not None:
        shutil.copyfile(path(build), folder / TEXT_FILE)


def described(build: Build, files: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """Return the manifest's entry, given those of the files; None where the recipe has no such graph.

    Raises:
        GateError: these very graphs were not measured.
        ArtifactError: the record is missing or damaged.
    """
    if build.recipe.text is None:
        return None
    record: dict[str, Any] = build.json(TEXT_RECORD_FILE)
    variant = build.recipe.text.variant
    found = [record["sha256"], record["variant"], record["variant_sha256"]]
    graph = files[TEXT_FILE]
    if found != [graph["sha256"], variant, files[VARIANT_FILES[variant]]["sha256"]]:
        raise GateError(f"{path(build)}: it was not measured; run `make verify`")
    return {
        "file": TEXT_FILE,
        "size": graph["size"],
        **{key: value for key, value in record.items() if not key.endswith("sha256")},
    }
