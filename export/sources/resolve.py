"""Resolve a source, `hub:ID[@REVISION]`, `path:FOLDER` or `package:MODULE/FOLDER`, to a local folder."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.disk.files import sha256_file
from core.errors import SourceError
from export.sources.recipe_lock import LockedFile, LockedSource


@dataclass(frozen=True)
class Source:
    """A source that is on this machine: as the recipe states it, its folder, the hub's revision."""

    spec: str
    folder: Path
    revision: str | None = None

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

    def hashes(self, names: Sequence[str], expected: dict[str, str]) -> dict[str, str]:
        """Return file name → SHA-256 of those of `names` that exist and of all in `expected`.

        Raises:
            SourceError: a file of `expected` is missing or has another hash.
        """
        present = {name for name in names if (self.folder / name).is_file()}
        hashes = {name: sha256_file(self.file(name)) for name in sorted(present | set(expected))}
        for name, wanted in sorted(expected.items()):
            if hashes[name] != wanted:
                raise SourceError(f"{self.spec}: {name}: SHA-256 found {hashes[name]}, expected {wanted}")
        return hashes

    def lock(self) -> LockedSource:
        """Return the entry of a lock file for this source, which came from the hub."""
        files = {
            path.relative_to(self.folder).as_posix(): LockedFile(
                sha256=sha256_file(path), size=path.stat().st_size
            )
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }
        return LockedSource(source=self.spec, revision=str(self.revision), files=files)


def _hub(spec: str, reference: str, override: str, locked: LockedSource | None) -> Source:
    # A second to import.
    from export.sources import hub

    repository, _, revision = reference.partition("@")
    hint = f"or give a local folder: {override}=path:FOLDER"
    folder = hub.fetch(hub.HubRequest(spec, repository, revision or None, hint), locked)
    return Source(spec, folder, folder.name)


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
