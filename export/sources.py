"""Sources: `hub:ID[@REVISION]`, `path:FOLDER` or `package:MODULE/FOLDER` to a local folder."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.contract import SourceError
from export.files import sha256_file

_HUB_TIMEOUT_SECONDS = 4.0
_HUB_PATTERNS = ["*.json", "*/config.json", "*.safetensors", "vocab.txt", "model.onnx"]


@dataclass(frozen=True)
class Source:
    """A source that is on this machine: what the recipe said, the folder, the hub's revision."""

    spec: str
    folder: Path
    revision: str | None = None

    @property
    def origin(self) -> str:
        """What a manifest says of this source: a local folder by its name only, not its path."""
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
        found = {name: sha256_file(self.file(name)) for name in sorted(present | set(expected))}
        for name, wanted in sorted(expected.items()):
            if found[name] != wanted:
                raise SourceError(f"{self.spec}: {name}: SHA-256 found {found[name]}, expected {wanted}")
        return found


def _hub(spec: str, reference: str, override: str) -> Source:
    from httpx2 import TransportError
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    repository, _, revision = reference.partition("@")
    hint = f"or give a local folder: {override}=path:FOLDER"
    try:
        try:
            # One short question first: where there is no network, that is known soon.
            HfApi().model_info(repository, revision=revision or None, timeout=_HUB_TIMEOUT_SECONDS)
            local_only = False
        except (OSError, TransportError, HfHubHTTPError) as error:
            if isinstance(error, HfHubHTTPError) and error.response.status_code < 500:
                status = error.response.status_code
                raise SourceError(
                    f"{spec}: the hub refused it (HTTP {status}); check the name, the revision and "
                    f"your login, {hint}"
                ) from error
            local_only = True
        # By the revision's name, not its commit: the cache remembers it only so.
        folder = snapshot_download(
            repository,
            revision=revision or None,
            allow_patterns=_HUB_PATTERNS,
            local_files_only=local_only,
        )
    except HFValidationError as error:
        raise SourceError(f"{spec}: not a hub repository's name, {hint}") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, TransportError, OSError) as error:
        raise SourceError(f"{spec}: the hub cannot be reached and its cache holds no copy; {hint}") from error
    return Source(spec, Path(folder), Path(folder).name)


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
    found = importlib.util.find_spec(module) if module.isidentifier() else None
    if found is None or not found.submodule_search_locations:
        raise SourceError(f"{spec}: the package {module} is not installed")
    home = Path(found.submodule_search_locations[0])
    folder = home / inside
    if not folder.is_dir() or not folder.resolve().is_relative_to(home.resolve()):
        raise SourceError(f"{spec}: the package {module} has no folder {inside}")
    return Source(spec, folder)


def resolve(spec: str, base: Path, override: str) -> Source:
    """Return the local folder of a source, downloading it from the hub where needed.

    Args:
        spec: what the recipe says, or the make line.
        base: the folder that `path:` is relative to.
        override: the make variable that replaces this source, for error messages.

    Raises:
        SourceError: it cannot be reached; the message names the source and the override.
    """
    kind, _, reference = spec.partition(":")
    if kind == "hub":
        return _hub(spec, reference, override)
    if kind == "path":
        return _path(spec, reference, base)
    if kind == "package":
        return _package(spec, reference)
    raise SourceError(f"{spec}: expected hub:ID[@REVISION], path:FOLDER or package:MODULE/FOLDER")
