"""Reading a finished artifact: its variants, as the manifest has them, and its reference."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from core.disk.files import sha256_file
from core.errors import ArtifactError
from core.untrusted import json_file

MANIFEST_FILE = "manifest.json"
REFERENCE_FILE = "reference.npz"
TOKENIZER_FILE = "tokenizer.json"


@dataclass(frozen=True)
class Tolerance:
    """What a recipe allows one variant; None is no limit."""

    max_probability_error: float | None
    max_flip_rate: float | None


class Variant(NamedTuple):
    """A variant as an artifact's manifest has it; the last two are what was measured at release."""

    name: str
    file: Path
    size_bytes: int
    tolerance: Tolerance
    max_probability_error: float
    flip_rate: float


def _inside(path: Path, name: Any) -> Path:
    """Return the path of an artifact's file; only one inside its folder will do."""
    inside = PurePosixPath(name) if isinstance(name, str) else PurePosixPath()
    if inside.is_absolute() or not inside.parts or ".." in inside.parts or set(str(inside)) & set("\\\0:"):
        raise ArtifactError(f"{path}: file: found {name!r}, expected one inside the folder")
    return path.parent / inside


def _number(path: Path, place: str, found: Any) -> float:
    if not isinstance(found, int | float) or isinstance(found, bool) or found < 0:
        raise ArtifactError(f"{path}: {place}: found {found!r}, expected a number from 0 up")
    return found


def _variant(path: Path, row: dict[str, Any]) -> Variant:
    if not isinstance(row["name"], str):
        raise ArtifactError(f"{path}: name: found {row['name']!r}, expected a variant's")
    stated = row["tolerance"]
    limits = {key: None if value is None else _number(path, key, value) for key, value in stated.items()}
    parity = {key: _number(path, key, row["parity"][key]) for key in ("max_probability_error", "flip_rate")}
    return Variant(
        row["name"],
        _inside(path, row["file"]),
        int(_number(path, "size", row["size"])),
        Tolerance(**limits),
        **parity,
    )


def variants(folder: Path) -> list[Variant]:
    """Read the variants of an artifact.

    Raises:
        ArtifactError: `manifest.json` is missing or not an artifact's.
    """
    path = folder / MANIFEST_FILE
    if not path.is_file():
        raise ArtifactError(f"{path}: not an artifact's manifest: no such file")
    rows = json_file.read_object(path, ArtifactError).get("variants")
    if not isinstance(rows, list):
        raise ArtifactError(f"{path}: not an artifact's manifest: variants: expected a list")
    try:
        return [_variant(path, row) for row in rows]
    except (KeyError, TypeError, AttributeError) as error:
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
        row = json_file.read_object(path, ArtifactError).get("text")
        return TextGraph(_inside(path, row["file"]), listed[row["variant"]]) if row else None
    except (KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: not an artifact's manifest: text: {error}") from error


def entry(path: Path) -> dict[str, Any]:
    """Return what a manifest says of a file."""
    return {"sha256": sha256_file(path), "size": path.stat().st_size}


def files(folder: Path) -> dict[str, dict[str, Any]]:
    """Return name → ``{sha256, size}`` of every file in a folder, sorted by path."""
    return {
        path.relative_to(folder).as_posix(): entry(path)
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
