"""Bring a data file to this machine: from a path, a folder that a variable names, a URL, or the hub."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import urllib.request
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import urlsplit

from core.data.table import is_url
from core.disk.files import sha256_file, write_bytes
from core.errors import DatasetError
from core.untrusted import limits
from core.untrusted.regular_file import naming

_DOWNLOAD_TIMEOUT_SECONDS = 60
_HUB = re.compile(r"hub:(?P<id>[^/@]+/[^/@]+)(?:@(?P<revision>[^/]+))?/(?P<file>.+)")


class Place(NamedTuple):
    """A data file as a table states it, relative to `base`; `cache` is where downloads are kept."""

    stated: str
    base: Path
    cache: Path
    sha256: str | None = None
    folder_variable: str | None = None

    @property
    def folder(self) -> str | None:
        """The folder that the environment names, where it does."""
        return os.environ.get(self.folder_variable) or None if self.folder_variable else None

    @property
    def is_own(self) -> bool:
        """Whether the file is stated by a path: it must be there."""
        return not (is_url(self.stated) or self.stated.startswith("hub:"))

    @property
    def path(self) -> Path | None:
        """Where the file is, or would be; None where the hub's cache alone knows."""
        if self.folder:
            return Path(self.folder) / self._name
        if self.is_own:
            return self.base / self.stated
        if is_url(self.stated):
            return self.cache / f"{str(self.sha256)[:16]}-{self._name}"
        return _in_hub_cache(self)

    @property
    def _name(self) -> str:
        stated = urlsplit(self.stated).path if is_url(self.stated) else self.stated
        return PurePosixPath(stated).name


def at_hand(place: Place) -> bool:
    """Return whether a file can be read without a download; one of an own path must be."""
    path = place.path
    return place.is_own or place.folder is not None or (path is not None and path.is_file())


def _hub_parts(place: Place) -> tuple[str, str | None, str]:
    found = _HUB.fullmatch(place.stated)
    if found is None:
        raise DatasetError(f"{place.stated}: expected hub:OWNER/NAME[@REVISION]/FILE")
    return found["id"], found["revision"], found["file"]


def _in_hub_cache(place: Place) -> Path | None:
    # Half a second to import.
    from huggingface_hub import try_to_load_from_cache

    repository, revision, file = _hub_parts(place)
    with naming(place.stated, DatasetError, "not a file of the hub", ValueError):
        found = try_to_load_from_cache(repository, file, revision=revision, repo_type="dataset")
    return Path(found) if isinstance(found, str) else None


def _from_hub(place: Place) -> Path:
    from huggingface_hub import hf_hub_download

    repository, revision, file = _hub_parts(place)
    # Those of its HTTP client have no base of their own.
    with naming(place.stated, DatasetError, "could not be had from the hub", Exception):
        return Path(hf_hub_download(repository, file, revision=revision, repo_type="dataset"))


def _check(shown: str, sha256: str, expected: str | None) -> None:
    if expected is not None and sha256 != expected:
        raise DatasetError(f"{shown}: SHA-256 found {sha256}, expected {expected}")


def _download(place: Place, path: Path) -> None:
    name = path.name.partition("-")[2]
    variable = place.folder_variable
    hint = f"; set {variable} to a folder that holds {name}" if variable else ""
    causes = (http.client.HTTPException, OSError)
    with (
        naming(place.stated, DatasetError, "could not be downloaded", *causes, hint=hint),
        urllib.request.urlopen(place.stated, timeout=_DOWNLOAD_TIMEOUT_SECONDS) as response,
    ):
        content = response.read(limits.DATA_BYTES + 1)
        if len(content) > limits.DATA_BYTES:
            raise DatasetError(f"{place.stated}: expected at most {limits.DATA_BYTES:,} bytes")
        # What is left of the stated length: a read of at most so much does not say that it broke off.
        if response.length:
            raise http.client.IncompleteRead(content, response.length)
    # Before it is kept: a wrong file in the cache would fail every later run.
    _check(place.stated, hashlib.sha256(content).hexdigest(), place.sha256)
    write_bytes(path, content)


def locate(place: Place) -> Path:
    """Return the path of a data file, downloaded where it must be.

    Raises:
        DatasetError: it is missing, could not be had, or its hash is not the stated one.
    """
    path = place.path
    if path is None:
        path = _from_hub(place)
    elif is_url(place.stated) and not place.folder and not path.exists():
        _download(place, path)
    if not path.is_file():
        why = f" ({place.folder_variable} is {place.folder})" if place.folder else ""
        raise DatasetError(f"{path}: not found{why}")
    if place.sha256 is not None:
        with naming(path, DatasetError, "cannot be read", OSError):
            _check(str(path), sha256_file(path), place.sha256)
    return path
