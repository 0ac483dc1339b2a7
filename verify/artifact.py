"""Reading a finished artifact: its variants, as the manifest has them, and its reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from export.contract import ArtifactError
from export.files import sha256_file
from verify.parity import Tolerance

MANIFEST_FILE = "manifest.json"
REFERENCE_FILE = "reference.npz"
TOKENIZER_FILE = "tokenizer.json"


class Variant(NamedTuple):
    """A variant as an artifact's manifest has it; the last two are what was measured at release."""

    name: str
    file: Path
    size_bytes: int
    tolerance: Tolerance
    max_probability_error: float
    flip_rate: float


def variants(folder: Path) -> list[Variant]:
    """Read the variants of an artifact.

    Raises:
        ArtifactError: `manifest.json` is missing or not an artifact's.
    """
    path = folder / MANIFEST_FILE
    try:
        return [
            Variant(
                row["name"],
                folder / row["file"],
                row["size"],
                Tolerance(**row["tolerance"]),
                row["parity"]["max_probability_error"],
                row["parity"]["flip_rate"],
            )
            for row in json.loads(path.read_text("utf-8"))["variants"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: not an artifact's manifest: {error}") from error


class TextGraph(NamedTuple):
    """The graph of an artifact that takes texts, and the variant whose answers are its own."""

    file: Path
    variant: Variant


def text_graph(folder: Path) -> TextGraph | None:
    """Read which graph of an artifact takes texts; None where it has none.

    Raises:
        ArtifactError: `manifest.json` is missing or not an artifact's.
    """
    path = folder / MANIFEST_FILE
    listed = {variant.name: variant for variant in variants(folder)}
    try:
        # Those of before there was one don't mention it.
        row = json.loads(path.read_text("utf-8")).get("text")
        return TextGraph(folder / row["file"], listed[row["variant"]]) if row else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: not an artifact's manifest: {error}") from error


def files(folder: Path) -> dict[str, dict[str, Any]]:
    """Return name → ``{sha256, size}`` of every file in a folder, sorted by path."""
    return {
        path.relative_to(folder).as_posix(): {"sha256": sha256_file(path), "size": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def reference_file(folder: Path, given: Path | None) -> Path:
    """Return `given`, or else the artifact's own reference.

    Raises:
        ArtifactError: none is given, and the artifact has none (those of before it was packaged).
    """
    path = given or folder / REFERENCE_FILE
    if not given and not path.is_file():
        raise ArtifactError(f"{path}: no such file; name a reference with --reference FILE")
    return path
