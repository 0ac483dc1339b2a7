"""Publish an artifact to a repository of the Hugging Face hub: as one commit, or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from httpx2 import TransportError
from huggingface_hub import HfApi, ModelCard, get_token
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from core.artifact import manifest
from core.artifact.manifest import MANIFEST_FILE, FileRecord, fields_of
from core.artifact.proof import check_files, verdict
from core.errors import ArtifactError, PublishError
from core.untrusted import limits, regular_file
from verify.escape import line

CARD_FILE = "README.md"


class Upload(NamedTuple):
    """What goes to a repository of the hub: the files of a folder, and the message of the commit."""

    folder: Path
    repo: str
    files: dict[str, FileRecord]
    message: str


def _check_card(path: Path) -> None:
    regular_file.check_size(path, limits.JSON_BYTES, ArtifactError)
    try:
        ModelCard.load(path, ignore_metadata_errors=False)
    except Exception as error:  # the YAML reader's errors share no base with the card's own
        raise ArtifactError(f"{path}: its front matter is not a model card's: {error}") from error


def prepare(folder: Path, repo: str) -> Upload:
    """Prove an artifact, signed or not, and return what would go to the hub; asks nothing of the network.

    Raises:
        PublishError: `repo` is not a name of a repository.
        GateError: a byte is not as the manifest has it.
        ArtifactError: a file cannot be read.
    """
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise PublishError(f"REPO: {error}") from error
    if repo.count("/") != 1:
        raise PublishError(f"REPO: found {repo!r}; expected OWNER/NAME")
    with verdict(folder):
        proof = check_files(folder)
    name = manifest.name(folder)
    with fields_of(folder / MANIFEST_FILE):
        variants = ", ".join(variant.name for variant in manifest.variants(folder))
        recipe, version = proof.manifest["recipe_sha256"][:12], proof.manifest["toolchain_version"]
        message = f"Upload {name} ({variants}; toolchain {version}, recipe {recipe})"
    _check_card(folder / CARD_FILE)
    return Upload(folder, repo, proof.files, line(message))


def _refusal(repo: str, error: HfHubHTTPError) -> str:
    status = error.response.status_code
    why = {
        401: "the token is not valid; log in again: hf auth login",
        403: "the token may not write there; check OWNER and the token's permissions",
    }.get(status, error.server_message or "it gave no reason")
    return f"{repo}: the hub refused it (HTTP {status}): {why}; nothing was committed"


def send(upload: Upload, private: bool) -> str:
    """Send an upload as one commit, to a repository that is made where there is none; return its address.

    Files that the hub has already are not sent again, so that a repeated upload continues where one broke
    off, and one of the same files makes no commit.

    Raises:
        PublishError: no login, a refusal, or a connection that broke; the repository is as it was.
    """
    folder, repo, files, message = upload
    if get_token() is None:
        raise PublishError(f"{repo}: no login to the hub: run hf auth login, or set HF_TOKEN")
    api = HfApi()
    try:
        api.create_repo(repo, private=private or None, exist_ok=True)
        # What came into the folder since it was proved stays here.
        proved = sorted(files)
        commit = api.upload_folder(
            repo_id=repo, folder_path=folder, commit_message=message, allow_patterns=proved
        )
    except HfHubHTTPError as error:
        raise PublishError(_refusal(repo, error)) from error
    except (TransportError, OSError, RuntimeError, ValueError) as error:
        # RuntimeError is how the hub's library says that a file of several did not arrive.
        cause = error.__cause__ or error
        if isinstance(cause, HfHubHTTPError):
            raise PublishError(_refusal(repo, cause)) from error
        raise PublishError(f"{repo}: broke off, nothing was committed: {cause}; run it again") from error
    return str(commit.commit_url)
