"""An artifact to a repository of the Hugging Face hub, as one commit; nothing is there before all is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from httpx2 import TransportError
from huggingface_hub import HfApi, ModelCard, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from core.artifact.manifest import MANIFEST_FILE, files
from core.errors import ArtifactError, PublishError
from deliver.source import json_file

CARD_FILE = "README.md"


@dataclass(frozen=True)
class Plan:
    """What goes to `repo`: file → SHA-256 and size in bytes, and the commit's message."""

    folder: Path
    repo: str
    files: dict[str, tuple[str, int]]
    message: str


def _checked_files(folder: Path, stated: dict[str, dict[str, object]]) -> dict[str, tuple[str, int]]:
    found = files(folder)
    for name in sorted({*stated, *found} - {MANIFEST_FILE}):
        if name not in found:
            raise ArtifactError(f"{folder / name}: not there, but in {MANIFEST_FILE}")
        if name not in stated:
            raise ArtifactError(f"{folder / name}: not of the artifact: {MANIFEST_FILE} does not know it")
        if found[name]["sha256"] != stated[name]["sha256"]:
            raise ArtifactError(
                f"{folder / name}: SHA-256 found {found[name]['sha256']}, expected {stated[name]['sha256']}"
            )
    return {name: (row["sha256"], row["size"]) for name, row in found.items()}


def _check_card(path: Path) -> None:
    try:
        ModelCard.load(path, ignore_metadata_errors=False)
    except Exception as error:  # the YAML reader's errors share no base with the card's own
        raise ArtifactError(f"{path}: its front matter is not a model card's: {error}") from error


def plan(folder: Path, repo: str) -> Plan:
    """Return what would go to the hub; asks nothing of the network.

    Raises:
        PublishError: `repo` is not a name of a repository.
        ArtifactError: a file is not the one that the manifest knows, or the card cannot be read.
    """
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise PublishError(f"REPO: {error}") from error
    if repo.count("/") != 1:
        raise PublishError(f"REPO: found {repo!r}; expected OWNER/NAME")
    manifest = json_file(folder / MANIFEST_FILE)
    try:
        found = _checked_files(folder, manifest["files"])
        variants = ", ".join(row["name"] for row in manifest["variants"])
        recipe = manifest["recipe_sha256"][:12]
        version = manifest["toolchain_version"]
        message = f"Upload {manifest['name']} ({variants}; toolchain {version}, recipe {recipe})"
    except (KeyError, TypeError) as error:
        raise ArtifactError(f"{folder / MANIFEST_FILE}: not an artifact's manifest: {error!r}") from error
    _check_card(folder / CARD_FILE)
    return Plan(folder, repo, found, message)


def _refusal(repo: str, error: HfHubHTTPError) -> str:
    status = error.response.status_code
    why = {
        401: "the token is not valid; log in again: hf auth login",
        403: "the token may not write there; check OWNER and the token's permissions",
    }.get(status, error.server_message or "it gave no reason")
    return f"{repo}: the hub refused it (HTTP {status}): {why}; nothing was committed"


def upload(plan: Plan, private: bool) -> str:
    """Upload a plan in one commit, to a repository that is made where it is not there; return its address.

    Files that the hub has already are not sent again, so that a repeated upload goes on where one broke off,
    and one of the same files makes no commit.

    Raises:
        PublishError: no login, a refusal, or a connection that broke; the repository is as it was.
    """
    if get_token() is None:
        raise PublishError(f"{plan.repo}: no login to the hub: run hf auth login, or set HF_TOKEN")
    api = HfApi()
    try:
        api.create_repo(plan.repo, private=private or None, exist_ok=True)
        commit = api.upload_folder(repo_id=plan.repo, folder_path=plan.folder, commit_message=plan.message)
    except HfHubHTTPError as error:
        raise PublishError(_refusal(plan.repo, error)) from error
    except (TransportError, OSError, RuntimeError, ValueError) as error:
        # RuntimeError is how the hub's library says that a file of several did not arrive.
        cause = error.__cause__ or error
        if isinstance(cause, HfHubHTTPError):
            raise PublishError(_refusal(plan.repo, cause)) from error
        raise PublishError(f"{plan.repo}: broke off, nothing was committed: {cause}; run it again") from error
    return str(commit.commit_url)
