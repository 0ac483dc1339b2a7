"""The hub's repositories: downloaded patiently, checked byte by byte, read from the cache without a network.

The download itself is huggingface_hub's, which goes on with a file where a connection was cut. Around it:
waiting where the hub is busy, and comparing every file with what the hub says of it, by size and hash.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING, TypeVar

from core.disk.files import sha256_file
from core.errors import SourceError

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.hf_api import RepoFile

PATTERNS = ["*.json", "*/config.json", "*.safetensors", "vocab.txt", "model.onnx"]
# The first question is short: where there is no network, that is known soon.
_QUESTION_SECONDS = 4.0
_WAITS_SECONDS = (1.0, 2.0, 4.0, 8.0)
_LONGEST_WAIT_SECONDS = 60.0
_BUSY = {408, 429, 500, 502, 503, 504}
_COMMIT = re.compile(r"[0-9a-f]{40}")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Question:
    """What to fetch: the source as stated, its repository and revision, and how to do without it."""

    spec: str
    repository: str
    revision: str | None
    hint: str

    @property
    def is_named(self) -> bool:
        """Whether a branch or a tag is stated, which may move."""
        return self.revision is not None and not _COMMIT.fullmatch(self.revision)


class _DamagedError(Exception):
    """A downloaded file that is not the hub's."""


def _busy(error: Exception) -> float | None:
    """Return how long to wait, at least, after an error that may pass; None after another."""
    from httpx2 import TransportError
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        if error.response.status_code not in _BUSY:
            return None
        stated = error.response.headers.get("Retry-After", "0")
        return min(float(stated), _LONGEST_WAIT_SECONDS) if stated.isdigit() else 0.0
    # OSError: huggingface_hub's own word for a file of another length.
    return 0.0 if isinstance(error, TransportError | OSError | _DamagedError) else None


def _patiently(call: Callable[[], _T], gives_up_on: tuple[type[Exception], ...] = ()) -> _T:
    for wait in _WAITS_SECONDS:
        try:
            return call()
        except gives_up_on:
            raise
        except Exception as error:  # sorted by _busy
            least = _busy(error)
            if least is None:
                raise
            sleep(max(wait, least))
    return call()


def _refused(question: Question, error: HfHubHTTPError) -> SourceError:
    return SourceError(
        f"{question.spec}: the hub refused it (HTTP {error.response.status_code}); check the name, the "
        f"revision and your login, {question.hint}"
    )


def commit_of(question: Question) -> str | None:
    """Ask the hub which commit a revision is now; None where it cannot be reached.

    Raises:
        SourceError: the hub refuses, or answers with another commit than the one asked for.
    """
    from httpx2 import ConnectError, TimeoutException, TransportError
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    def ask() -> str | None:
        info = HfApi().model_info(question.repository, revision=question.revision, timeout=_QUESTION_SECONDS)
        return info.sha

    try:
        found = _patiently(ask, gives_up_on=(ConnectError, TimeoutException, ConnectionError))
    except HfHubHTTPError as error:
        if error.response.status_code < 500:
            raise _refused(question, error) from error
        return None
    except (OSError, TransportError):
        return None
    if question.revision and not question.is_named and found != question.revision:
        raise SourceError(f"{question.spec}: the hub answers with commit {found}, {question.hint}")
    return found


def _is_the_hubs(path: Path, listed: RepoFile) -> bool:
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


def _download(question: Question) -> Path:
    """Download once, and compare with what the hub lists at that commit."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.hf_api import RepoFile
    from huggingface_hub.utils._paths import filter_repo_objects

    # By the revision's name, not its commit: the cache remembers it only so.
    folder = Path(snapshot_download(question.repository, revision=question.revision, allow_patterns=PATTERNS))
    listed = HfApi().list_repo_tree(question.repository, revision=folder.name, recursive=True)
    files = {found.path: found for found in listed if isinstance(found, RepoFile)}
    wanted = list(filter_repo_objects(files, allow_patterns=PATTERNS))
    damaged = sorted(name for name in wanted if not _is_the_hubs(folder / name, files[name]))
    if damaged:
        discard(folder / name for name in damaged)
        raise _DamagedError(f"{damaged[0]}: not the file that the hub lists, by size or hash")
    return folder


def fetch(question: Question, *, reachable: bool) -> Path:
    """Return a repository's folder in the cache, downloaded where the hub is `reachable`.

    Raises:
        SourceError: it cannot be had whole; what was damaged is not left in the cache.
    """
    from httpx2 import TransportError
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        if reachable:
            return _patiently(lambda: _download(question))
        found = snapshot_download(
            question.repository,
            revision=question.revision,
            allow_patterns=PATTERNS,
            local_files_only=True,
        )
        return Path(found)
    except _DamagedError as error:
        times = len(_WAITS_SECONDS) + 1
        raise SourceError(f"{question.spec}: {error}, {times} times; {question.hint}") from error
    except HfHubHTTPError as error:
        if error.response.status_code < 500:
            raise _refused(question, error) from error
        status = error.response.status_code
        raise SourceError(f"{question.spec}: the hub fails (HTTP {status}); {question.hint}") from error
    except LocalEntryNotFoundError as error:
        state = "does not answer as it should" if reachable else "cannot be reached"
        raise SourceError(
            f"{question.spec}: the hub {state} and its cache holds no copy; {question.hint}"
        ) from error
    except (TransportError, OSError) as error:
        reason = str(error).split("\n")[0]
        raise SourceError(f"{question.spec}: cannot be downloaded: {reason}; {question.hint}") from error
