"""The published card's table, beside which ours is shown."""

from __future__ import annotations

from importlib import resources
from typing import Any

from core.errors import ArtifactError
from core.untrusted import json_file

TABLE_FILE = "published_table.json"
_ENCODER = "bge-small-en"
_OWNER = "baai"


def table() -> dict[str, Any]:
    """Return `published_table.json`.

    Its keys are `source`, `encoder`, `split`, `note`, `averages` (protocol → macro and weighted, or null)
    and `labels`, rows like those of `evaluation.json` whose precision, recall and F1 may be null.
    """
    content = resources.files("verify.quality").joinpath(TABLE_FILE).read_bytes()
    found: dict[str, Any] = json_file.loads(content, TABLE_FILE, ArtifactError)
    return found


def is_its_encoder(source: str) -> bool:
    """Whether an encoder's source is BGE-small-en: the hub's, or a local folder of that name."""
    kind, _, reference = source.partition(":")
    *owner, name = reference.partition("@")[0].rstrip("/").lower().split("/")
    return name == _ENCODER and (kind != "hub" or owner == [_OWNER])


def remarks(encoder: str, thresholds: dict[str, float]) -> list[str]:
    """Return what a reader must know before comparing with the published table.

    Args:
        encoder: the source that the build's encoder came from.
        thresholds: label → threshold, as packaged.
    """
    published = table()
    found = [published["note"]]
    if not is_its_encoder(encoder):
        found.insert(
            0,
            f"The encoder here is {encoder}, not BGE-small-en, which the published head was trained and "
            "measured on: a difference is that of two encoders and two heads, not of this toolchain.",
        )
    if thresholds == {row["label"]: row["threshold"] for row in published["labels"]}:
        found.append(
            "The packaged thresholds are the published ones, which were chosen on the test split: "
            "`dev-tuned` is not an independent measurement here."
        )
    return found
