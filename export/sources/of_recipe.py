"""Resolve the sources of a recipe, by the make line's overrides and the recipe's lock file."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Literal

from core import recipe
from core.build.inputs import overrides
from export.sources import recipe_lock, resolve
from export.sources.resolve import Source

Variable = Literal["ENCODER", "HEAD"]
_NAMES: dict[Variable, recipe_lock.Name] = {"ENCODER": "encoder", "HEAD": "head"}


class Sources:
    """A recipe and its two sources, each brought to this machine when it is first used.

    `encoder` and `head` raise a SourceError where a source cannot be reached, or differs from the recipe's
    lock file.
    """

    def __init__(self, folder: Path) -> None:
        """Read a recipe.

        Raises:
            RecipeError: it cannot be read.
            SourceError: its lock file cannot be read.
        """
        self.recipe = recipe.load(folder)
        self._folder = folder
        self._locked = recipe_lock.read(folder)
        self._specs: dict[Variable, str] = {
            "ENCODER": self.recipe.encoder.source,
            "HEAD": self.recipe.head.source,
        }

    def _lock_of(self, variable: Variable) -> recipe_lock.LockedSource | None:
        locked: recipe_lock.LockedSource | None = getattr(self._locked, _NAMES[variable])
        return locked if locked is not None and locked.source == self._specs[variable] else None

    def _resolve(self, variable: Variable) -> Source:
        override = overrides().get(variable)
        if override:
            # On the make line `path:` is relative to where make runs, in a recipe to the recipe.
            return resolve.resolve(override, Path.cwd(), variable)
        return resolve.resolve(self._specs[variable], self._folder, variable, self._lock_of(variable))

    @cached_property
    def encoder(self) -> Source:
        """The encoder's folder."""
        return self._resolve("ENCODER")

    @cached_property
    def head(self) -> Source:
        """The head's folder."""
        return self._resolve("HEAD")

    def lock(self) -> list[str]:
        """Write the recipe's lock file where a source from the hub is not in it yet; return those.

        Raises:
            SourceError: a source cannot be reached.
            ArtifactError: the recipe's folder cannot be written.
        """
        added: dict[str, recipe_lock.LockedSource] = {}
        for variable, spec in self._specs.items():
            if spec.startswith("hub:") and variable not in overrides() and not self._lock_of(variable):
                source = self.encoder if variable == "ENCODER" else self.head
                added[_NAMES[variable]] = source.lock()
        if added:
            recipe_lock.write(self._folder, self._locked.model_copy(update=added))
        return list(added)
