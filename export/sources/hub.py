"""Download repositories of the hub with retries, check every byte, and read the cache without a network.

The download itself is huggingface_hub's, which continues a file where a connection was cut. Around it:
waiting where the hub is busy, and comparing every file with what the hub lists, by size and hash.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from time import sleep
from typing import TypeVar

from httpx2 import ConnectError, TimeoutException, TransportError
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils._paths import filter_repo_objects

from core.disk.files import sha256_file
from core.errors import SourceError
from export.sources.recipe_lock import LOCK_FILE, LockedSource

PATTERNS = ["*.json", "*/config.json", "*.safetensors", "vocab.txt", "model.onnx"]
# The first request is short, so that a missing network is known soon.
_FIRST_REQUEST_SECONDS = 4.0
_WAITS_SECONDS = (1.0, 2.0, 4.0, 8.0)
_LONGEST_WAIT_SECONDS = 60.0
_RETRY_STATUSES = {408, 429, 500, 502, 503, 504}
_COMMIT = re.compile(r"[0-9a-f]{40}")
_T = TypeVar("_T")


@dataclass(frozen=True)
class HubRequest:
    """What to fetch: the source as stated, its repository and revision, and how to do without it."""

    spec: str
    repository: str
    revision: str | None
    hint: str

    @property
    def names_a_branch(self) -> bool:
        """Whether a branch or a tag is stated, which may move."""
        return self.revision is not None and not _COMMIT.fullmatch(self.revision)

    def error(self, problem: str) -> SourceError:
        """Return an error that names the source, the problem and the way around it."""
        return SourceError(f"{self.spec}: {problem}; {self.hint}")


class _DamagedError(Exception):
    """A downloaded file differs from the hub's."""


def _retry_delay(error: Exception) -> float | None:
    """Return how long to wait, at least, after an error that may pass; None after another."""
    if isinstance(error, HfHubHTTPError):
        if error.response.status_code not in _RETRY_STATUSES:
            return None
        stated = error.response.headers.get("Retry-After", "0")
        return min(float(stated), _LONGEST_WAIT_SECONDS) if stated.isdigit() else 0.0
    # huggingface_hub raises OSError for a file of another length.
    return 0.0 if isinstance(error, TransportError | OSError | _DamagedError) else None


def _with_retries(call: Callable[[], _T], gives_up_on: tuple[type[Exception], ...] = ()) -> _T:
    for wait in _WAITS_SECONDS:
        try:
            return call()
        except gives_up_on:
            raise
        except Exception as error:  # sorted by _retry_delay
            least = _retry_delay(error)
            if least is None:
                raise
            sleep(max(wait, least))
    return call()


def _http_error(request: HubRequest, status: int) -> SourceError:
    if status >= 500:
        return request.error(f"the hub fails (HTTP {status})")
    return request.error(f"the hub refused it (HTTP {status}); check the name, the revision and your login")


def commit_of(request: HubRequest) -> str | None:
    """Ask the hub which commit a revision is now; None where it cannot be reached.

    Raises:
        SourceError: the hub refuses, or answers with another commit than the requested one.
    """

    def ask() -> str | None:
        timeout = _FIRST_REQUEST_SECONDS
        return HfApi().model_info(request.repository, revision=request.revision, timeout=timeout).sha

    try:
        commit = _with_retries(ask, gives_up_on=(ConnectError, TimeoutException, ConnectionError))
    except HfHubHTTPError as error:
        if error.response.status_code < 500:
            raise _http_error(request, error.response.status_code) from error
        return None
    except (OSError, TransportError):
        return None
    if request.revision and not request.names_a_branch and commit != request.revision:
        raise request.error(f"the hub answers with commit {commit}")
    return commit


def _matches(path: Path, listed: RepoFile) -> bool:
    if not path.is_file() or path.stat().st_size != listed.size:
        return False
    if listed.lfs is not None:
        return sha256_file(path) == listed.lfs.sha256
    # Of a small file the hub states git's own hash.
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() == listed.blob_id


def discard(paths: Iterable[Path]) -> None:
    """Remove files from the cache: the link in the snapshot, and what it leads to."""
    for path in paths:
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def _snapshot(request: HubRequest, *, local: bool) -> Path:
    # By the revision's name, not its commit: the cache remembers it only so.
    return Path(
        snapshot_download(
            request.repository, revision=request.revision, allow_patterns=PATTERNS, local_files_only=local
        )
    )


def _download(request: HubRequest) -> Path:
    """Download once, and compare with what the hub lists at that commit."""
    folder = _snapshot(request, local=False)
    entries = HfApi().list_repo_tree(request.repository, revision=folder.name, recursive=True)
    files = {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}
    wanted = list(filter_repo_objects(files, allow_patterns=PATTERNS))
    damaged = sorted(name for name in wanted if not _matches(folder / name, files[name]))
    if damaged:
        discard(folder / name for name in damaged)
        raise _DamagedError(f"{damaged[0]}: not the file that the hub lists, by size or hash")
    return folder


def _fetch(request: HubRequest, *, reachable: bool) -> Path:
    """Return a repository's folder in the cache, downloaded where the hub is `reachable`."""
    try:
        if reachable:
            return _with_retries(lambda: _download(request))
        return _snapshot(request, local=True)
    except _DamagedError as error:
        raise request.error(f"{error}, {len(_WAITS_SECONDS) + 1} times") from error
    except HfHubHTTPError as error:
        raise _http_error(request, error.response.status_code) from error
    except LocalEntryNotFoundError as error:
        state = "does not answer as it should" if reachable else "cannot be reached"
        raise request.error(f"the hub {state} and its cache holds no copy") from error
    except (TransportError, OSError) as error:
        reason = str(error).split("\n")[0]
        raise request.error(f"could not be downloaded: {reason}") from error


def _difference(folder: Path, locked: LockedSource) -> str | None:
    """Return a sentence on the first locked file that is not in a folder as the lock has it."""
    for name, file in sorted(locked.files.items()):
        path = folder / name
        if not path.is_file():
            return f"{name}: missing, though {LOCK_FILE} lists it"
        size = path.stat().st_size
        if size != file.size:
            return f"{name}: found {size} bytes, expected {file.size} as {LOCK_FILE} has it"
        sha256 = sha256_file(path)
        if sha256 != file.sha256:
            return f"{name}: SHA-256 found {sha256}, expected {file.sha256} as {LOCK_FILE} has it"
    return None


def _fetch_locked(request: HubRequest, locked: LockedSource) -> Path:
    """Return the commit of the lock file, from the cache where it is there whole."""
    commit = replace(request, revision=locked.revision)
    if request.names_a_branch:
        now = commit_of(request)
        if now is not None and now != locked.revision:
            moved = f"moved: the hub's {request.revision} is commit {now}, {LOCK_FILE} has {locked.revision}"
            raise request.error(f"{moved}; remove its table there to take the new one")
    try:
        folder = _fetch(commit, reachable=False)
        difference = _difference(folder, locked)
    except SourceError:
        difference = "not in the cache"
    if difference:
        folder = _fetch(commit, reachable=commit_of(commit) is not None)
        difference = _difference(folder, locked)
    if difference:
        raise request.error(difference)
    return folder


def fetch(request: HubRequest, locked: LockedSource | None) -> Path:
    """Return a repository's folder in the cache, downloaded where needed; its name is the commit.

    Args:
        locked: the entry of a lock file, which then counts.

    Raises:
        SourceError: it could not be downloaded whole, or differs from the lock file; what was damaged is
            not left in the cache.
    """
    try:
        if locked is not None:
            return _fetch_locked(request, locked)
        return _fetch(request, reachable=commit_of(request) is not None)
    except HFValidationError as error:
        raise request.error("not a hub repository's name") from error
