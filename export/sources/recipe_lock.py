"""Read and write `recipe.lock.toml`, which keeps a recipe's hub sources as they were at its first build."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tomli_w
from pydantic import Field, StringConstraints

from core.disk.files import write_text
from core.recipe import SourceSpec
from core.tables import Sha256, Table, read_table

LOCK_FILE = "recipe.lock.toml"
_COMMENT = """\
# What the hub's sources of this recipe were at its first build, and are from then on: commit it.
# Without it, the next build takes and locks what the hub has then.

"""


class LockedFile(Table):
    """A file of a source; size in bytes."""

    sha256: Sha256
    size: Annotated[int, Field(ge=0)]


class LockedSource(Table):
    """A hub source: as the recipe has it, the commit it was, and every file that was downloaded."""

    source: SourceSpec
    revision: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
    files: Annotated[dict[str, LockedFile], Field(min_length=1)]


class RecipeLock(Table):
    """A whole lock file; what does not come from the hub is not in it."""

    encoder: LockedSource | None = None
    head: LockedSource | None = None


def read(folder: Path) -> RecipeLock:
    """Read a recipe's lock file; an empty one where it has none.

    Raises:
        RecipeError: it cannot be read, or is not one.
    """
    path = folder / LOCK_FILE
    return read_table(RecipeLock, path) if path.exists() else RecipeLock()


def write(folder: Path, lock: RecipeLock) -> None:
    """Write a recipe's lock file, whole or not at all, so that `read` returns it exactly.

    Raises:
        ArtifactError: the folder cannot be written.
    """
    write_text(folder / LOCK_FILE, _COMMENT + tomli_w.dumps(lock.model_dump(exclude_none=True)))
