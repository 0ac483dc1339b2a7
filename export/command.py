"""What every command of `python -m export` needs: its arguments, its errors, its sources."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from export import checkpoint, recipe, sources
from export.contract import ToolchainError
from export.files import write_text
from export.info import EncoderInfo

RecipeFolder = Annotated[Path, typer.Argument(help="folder with recipe.toml")]
BuildFolder = Annotated[Path, typer.Argument(help="where the files go: build/NAME")]
console = Console(highlight=False, soft_wrap=True)


@contextmanager
def errors() -> Iterator[None]:
    """Print an error of the toolchain as one line, and exit with 1."""
    try:
        yield
    except ToolchainError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"error: {error}", markup=False)
        raise typer.Exit(1) from error


def source_of(folder: Path, spec: str, variable: str) -> sources.Source:
    """Resolve a source of a recipe, or what the environment variable puts in its place.

    Raises:
        SourceError: it cannot be had.
    """
    override = os.environ.get(variable)
    # On the make line `path:` is relative to where make runs, in a recipe to the recipe.
    base = Path.cwd() if override else folder
    return sources.resolve(override or spec, base, variable)


def open_encoder(folder: Path) -> tuple[recipe.Recipe, sources.Source, EncoderInfo]:
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
