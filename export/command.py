"""What every command of `python -m export` needs: its arguments, its errors, its sources."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from core import recipe
from core.build.facts import EncoderInfo
from core.disk.files import write_text
from core.errors import ToolchainError
from export.encoder import checkpoint
from export.sources import recipe_lock, resolve

RecipeFolder = Annotated[Path, typer.Argument(help="folder with recipe.toml")]
BuildFolder = Annotated[Path, typer.Argument(help="where the files go: build/NAME")]
Variable = Literal["ENCODER", "HEAD"]
console = Console(highlight=False, soft_wrap=True)
_PARTS: dict[Variable, recipe_lock.Part] = {"ENCODER": "encoder", "HEAD": "head"}


@contextmanager
def errors() -> Iterator[None]:
    """Print an error of the toolchain as one line, and exit with 1."""
    try:
        yield
    except ToolchainError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"error: {error}", markup=False)
        raise typer.Exit(1) from error


def source_of(folder: Path, spec: str, variable: Variable) -> resolve.Source:
    """Resolve a source of a recipe, or what the environment variable puts in its place.

    Raises:
        SourceError: it cannot be had, or is not what the recipe's lock file has.
    """
    override = os.environ.get(variable)
    if override:
        # On the make line `path:` is relative to where make runs, in a recipe to the recipe.
        return resolve.resolve(override, Path.cwd(), variable)
    locked = getattr(recipe_lock.read(folder), _PARTS[variable])
    if locked is not None and locked.source != spec:
        locked = None
    return resolve.resolve(spec, folder, variable, locked)


def lock_sources(folder: Path, loaded: recipe.Recipe) -> list[recipe_lock.Part]:
    """Write the recipe's lock file where a source from the hub is not in it yet; return those parts.

    Raises:
        SourceError: a source cannot be had.
        ArtifactError: the recipe's folder cannot be written.
    """
    locked, added = recipe_lock.read(folder), []
    specs: dict[Variable, str] = {"ENCODER": loaded.encoder.source, "HEAD": loaded.head.source}
    for variable, spec in specs.items():
        part = _PARTS[variable]
        known = getattr(locked, part)
        if not spec.startswith("hub:") or os.environ.get(variable) or (known and known.source == spec):
            continue
        found = source_of(folder, spec, variable)
        locked = locked.model_copy(update={part: found.lock()})
        added.append(part)
    if added:
        recipe_lock.write(folder, locked)
    return added


def open_encoder(folder: Path) -> tuple[recipe.Recipe, resolve.Source, EncoderInfo]:
    """Read a recipe, and check its encoder against it.

    Raises:
        RecipeError: the recipe cannot be read.
        SourceError: the encoder cannot be had.
        CheckpointError: it is damaged, unsupported, or contradicts the recipe.
    """
    loaded = recipe.load(folder)
    source = source_of(folder, loaded.encoder.source, "ENCODER")
    return loaded, source, checkpoint.read(source, loaded.encoder, loaded.features)


def dependencies(target: Path, files: list[Path]) -> None:
    """Write a make rule: `target` is out of date when one of `files` changes.

    Before `target` itself: one without its rule would not be built again when a source changes.
    """
    escaped = [str(path.resolve()).replace("$", "$$").replace(" ", "\\ ") for path in files]
    # An empty rule for each file, so that one that vanished is no error (as cc -MP does).
    rules = [f"{target}: {' '.join(escaped)}", *(f"{path}:" for path in escaped)]
    write_text(target.with_suffix(target.suffix + ".d"), "\n".join(rules) + "\n")
