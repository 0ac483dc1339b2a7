"""Resolve a source, `hub:ID[@REVISION]`, `path:FOLDER` or `package:MODULE/FOLDER`, to a local folder.

Those of a recipe, by the make line's overrides and the recipe's lock file.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from core import recipe
from core.build.inputs import overrides
from core.data.data_set import DataSet
from core.errors import SourceError
from core.untrusted import limits, regular_file
from export.sources import recipe_lock
from export.sources.recipe_lock import LockedFile, LockedSource


@dataclass(frozen=True)
class Source:
    """A source that is on this machine: as the recipe states it, its folder, the hub's revision.

    `digests` are the SHA-256 of its files that were computed or checked, so that each is hashed once.
    """

    spec: str
    folder: Path
    revision: str | None = None
    digests: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def origin(self) -> str:
        """How a manifest names this source: a local folder by its name only, not its path."""
        kind, _, reference = self.spec.partition(":")
        absolute = kind == "path" and (reference.startswith("~") or Path(reference).is_absolute())
        return f"path:{self.folder.name}" if absolute else self.spec

    def file(self, name: str) -> Path:
        """Return the path of a file that must be there.

        Raises:
            SourceError: it is not.
        """
        path = self.folder / name
        if not path.is_file():
            raise SourceError(f"{self.spec}: has no {name} (looked in {self.folder})")
        return path

    def sha256(self, name: str) -> str:
        """Return the SHA-256 of a file that must be there, which is hashed when it is first asked for.

        Raises:
            SourceError: it is not.
        """
        if name not in self.digests:
            path = self.file(name)
            self.digests[name], _ = regular_file.sha256(path, limits.GRAPH_BYTES, SourceError)
        return self.digests[name]

    def hashes(self, names: Sequence[str], expected: dict[str, str]) -> dict[str, str]:
        """Return file name → SHA-256 of those of `names` that exist and of all in `expected`.

        Raises:
            SourceError: a file of `expected` is missing or has another hash.
        """
        present = {name for name in names if (self.folder / name).is_file()}
        hashes = {name: self.sha256(name) for name in sorted(present | set(expected))}
        for name, wanted in sorted(expected.items()):
            if hashes[name] != wanted:
                raise SourceError(f"{self.spec}: {name}: SHA-256 found {hashes[name]}, expected {wanted}")
        return hashes

    def lock(self) -> LockedSource:
        """Return the entry of a lock file for this source, which came from the hub."""
        paths = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        sizes = {path.relative_to(self.folder).as_posix(): path.stat().st_size for path in paths}
        files = {name: LockedFile(sha256=self.sha256(name), size=size) for name, size in sizes.items()}
        return LockedSource(source=self.spec, revision=str(self.revision), files=files)


def _hub(spec: str, reference: str, override: str, locked: LockedSource | None) -> Source:
    # A second to import.
    from export.sources import hub

    repository, _, revision = reference.partition("@")
    hint = f"or give a local folder: {override}=path:FOLDER"
    folder = hub.fetch(hub.HubRequest(spec, repository, revision or None, hint), locked)
    checked = {name: file.sha256 for name, file in locked.files.items()} if locked else {}
    return Source(spec, folder, folder.name, checked)


def _path(spec: str, reference: str, base: Path) -> Source:
    try:
        folder = base / Path(reference).expanduser()
    except RuntimeError:  # no such user's home
        folder = base / reference
    if not folder.is_dir():
        raise SourceError(f"{spec}: no such folder (looked for {folder})")
    return Source(spec, folder)


def _package(spec: str, reference: str) -> Source:
    module, _, inside = reference.partition("/")
    try:
        package = importlib.util.find_spec(module) if module.isidentifier() else None
    except ValueError:  # of a module without a spec, as `__main__` may be
        package = None
    if package is None or not package.submodule_search_locations:
        raise SourceError(f"{spec}: the package {module} is not installed")
    home = Path(package.submodule_search_locations[0])
    folder = home / inside
    if not folder.is_dir() or not folder.resolve().is_relative_to(home.resolve()):
        raise SourceError(f"{spec}: the package {module} has no folder {inside}")
    return Source(spec, folder)


def resolve(spec: str, base: Path, override: str, locked: LockedSource | None = None) -> Source:
    """Return the local folder of a source, downloading it from the hub where needed.

    Args:
        spec: as the recipe or the make line states it.
        base: the folder that `path:` is relative to.
        override: the make variable that replaces this source, for error messages.
        locked: the entry of the recipe's lock file, which then counts.

    Raises:
        SourceError: it cannot be reached, or differs from the lock file; the message names the source and
            the override.
    """
    kind, _, reference = spec.partition(":")
    if kind == "hub":
        return _hub(spec, reference, override, locked)
    if kind == "path":
        return _path(spec, reference, base)
    if kind == "package":
        return _package(spec, reference)
    raise SourceError(f"{spec}: expected hub:ID[@REVISION], path:FOLDER or package:MODULE/FOLDER")


class Sources:
    """A recipe and its two sources, each brought to this machine when it is first used.

    `encoder` and `head` raise a SourceError where a source cannot be reached, or differs from the recipe's
    lock file.
    """

    def __init__(self, folder: Path) -> None:
        """Read a recipe.

        Raises:
            RecipeError: it or its lock file cannot be read.
        """
        self.recipe = recipe.load(folder)
        self.folder = folder
        self._locked = recipe_lock.read(folder)
        self._specs = {"encoder": self.recipe.encoder.source, "head": self.recipe.head.source}

    def _lock_of(self, name: str) -> LockedSource | None:
        locked: LockedSource | None = getattr(self._locked, name)
        return locked if locked is not None and locked.source == self._specs[name] else None

    def _resolve(self, name: str) -> Source:
        variable = name.upper()
        override = overrides().get(variable)
        if override:
            # On the make line `path:` is relative to where make runs, in a recipe to the recipe.
            return resolve(override, Path.cwd(), variable)
        return resolve(self._specs[name], self.folder, variable, self._lock_of(name))

    @cached_property
    def encoder(self) -> Source:
        """The encoder's folder."""
        return self._resolve("encoder")

    @cached_property
    def head(self) -> Source:
        """The head's folder."""
        return self._resolve("head")

    def data(self, build: Path) -> DataSet | None:
        """Return the recipe's own data, if any; downloads are kept in `build`.

        Raises:
            RecipeError, DatasetError: as `recipe.data_of`.
        """
        return recipe.data_of(self.recipe, self.folder, build)

    def required_data(self, build: Path) -> DataSet:
        """Return the recipe's own data as `data` does.

        Raises:
            RecipeError, DatasetError: as `recipe.required_data`.
        """
        return recipe.required_data(self.recipe, self.folder, build)

    def lock(self) -> list[str]:
        """Write the recipe's lock file where a source from the hub is not in it yet; return those.

        Raises:
            SourceError: a source cannot be reached.
            ArtifactError: the recipe's folder cannot be written.
        """
        added: dict[str, LockedSource] = {}
        for name, spec in self._specs.items():
            if spec.startswith("hub:") and name.upper() not in overrides() and not self._lock_of(name):
                added[name] = getattr(self, name).lock()
        if added:
            recipe_lock.write(self.folder, self._locked.model_copy(update=added))
        return list(added)
