"""Read and write the manifest of an artifact: its variants, its files, and its own hash."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from core.contract import NAME_PATTERN, TEXT_FILE, THRESHOLDS_FILE, TOKENIZER_FILES, VARIANT_FILES
from core.errors import ArtifactError
from core.untrusted import inside, json_file, limits, regular_file
from core.untrusted.regular_file import FIELD_ERRORS, naming

MANIFEST_FILE = "manifest.json"
REFERENCE_FILE = "reference.npz"
TOKENIZER_FILE = "tokenizer.json"
_DEFAULT_VARIANT = "int8"

# Every file that an artifact may have; what else one lists is not ours to prove, sign or publish.
RELEASED = {
    *(*VARIANT_FILES.values(), TEXT_FILE, *TOKENIZER_FILES, THRESHOLDS_FILE, REFERENCE_FILE),
    *("config.json", "sbom.cdx.json", "README.md", "report.html"),
}

# The last field of a manifest: the hash of all its bytes, with these digits as zeros.
SEAL = "manifest_sha256"
_ZEROS = "0" * 64
_END = re.compile(rb',\n  "' + SEAL.encode() + rb'": "([0-9a-f]{64})"\n}\n\Z')


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


class TextGraph(NamedTuple):
    """The graph of an artifact that takes texts, and the variant whose answers are its own."""

    file: Path
    variant: Variant


class FileRecord(NamedTuple):
    """What a manifest states of a file: SHA-256 as lower-case hexadecimal, and size in bytes."""

    sha256: str
    size: int


def fields_of(path: Path, place: str = "") -> AbstractContextManager[None]:
    """Turn a field that is missing or of another type into an error that names the manifest.

    Raises:
        ArtifactError: the block looked for what the manifest `path` does not have.
    """
    return naming(path, ArtifactError, f"not an artifact's manifest{place}", *FIELD_ERRORS)


def parse(content: bytes, path: Path) -> dict[str, Any]:
    """Return the fields of a manifest with this content; `path` is for the messages.

    Raises:
        ArtifactError: it is not a JSON object.
    """
    fields = json_file.loads(content, path, ArtifactError)
    if not isinstance(fields, dict):
        raise ArtifactError(f"{path}: not an artifact's manifest: found {type(fields).__name__}")
    return fields


def read(folder: Path) -> dict[str, Any]:
    """Read the fields of an artifact's manifest; whether its own hash is right does not matter.

    Raises:
        ArtifactError: `manifest.json` is missing or not a JSON object.
    """
    path = folder / MANIFEST_FILE
    if not path.exists():
        raise ArtifactError(f"{path}: not an artifact's manifest: no such file")
    return parse(regular_file.read(path, limits.JSON_BYTES, ArtifactError), path)


def _file(path: Path, stated: Any, expected: str) -> Path:
    """Return the path of an artifact's file, which has one place in every artifact."""
    if stated != expected:
        raise ArtifactError(f"{path}: file: found {stated!r}, expected {expected!r}")
    return inside.join(path.parent, expected, path, ArtifactError)


def _number(path: Path, place: str, value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
        raise ArtifactError(f"{path}: {place}: found {value!r}, expected a number from 0 up")
    return value


def _variant(path: Path, row: dict[str, Any]) -> Variant:
    file = VARIANT_FILES.get(row["name"])
    if file is None:
        expected = " or ".join(VARIANT_FILES)
        raise ArtifactError(f"{path}: variants: found {row['name']!r}, expected {expected}")
    tolerances = row["tolerance"].items()
    parity = {key: _number(path, key, row["parity"][key]) for key in ("max_probability_error", "flip_rate")}
    return Variant(
        row["name"],
        _file(path, row["file"], file),
        int(_number(path, "size", row["size"])),
        Tolerance(**{key: None if limit is None else _number(path, key, limit) for key, limit in tolerances}),
        **parity,
    )


def name(folder: Path) -> str:
    """Read the name of an artifact: its recipe's, so that folders can be named after it.

    Raises:
        ArtifactError: `manifest.json` is missing, or has no such name.
    """
    stated = read(folder).get("name")
    if not isinstance(stated, str) or not re.fullmatch(NAME_PATTERN, stated):
        raise ArtifactError(f"{folder / MANIFEST_FILE}: name: found {stated!r}, expected a recipe's")
    return stated


def variants(folder: Path) -> list[Variant]:
    """Read the variants of an artifact.

    Raises:
        ArtifactError: `manifest.json` is missing or not an artifact's.
    """
    path, rows = folder / MANIFEST_FILE, read(folder).get("variants")
    with fields_of(path):
        if not isinstance(rows, list) or not rows:
            raise TypeError("variants: expected a list of some")
        found = [_variant(path, row) for row in rows]
    if len({variant.name for variant in found}) < len(found):
        raise ArtifactError(f"{path}: variants: found {[v.name for v in found]}, expected each once")
    return found


def choose(folder: Path, name: str | None) -> Variant:
    """Return the variant of a name; where none is named, `int8` if the artifact has it, else its first.

    Raises:
        ArtifactError: `manifest.json` is missing or not an artifact's, or it has no such variant.
    """
    by_name = {variant.name: variant for variant in variants(folder)}
    chosen = name or (_DEFAULT_VARIANT if _DEFAULT_VARIANT in by_name else next(iter(by_name)))
    if chosen not in by_name:
        raise ArtifactError(f"{folder}: variant: found {chosen!r}; expected one of {', '.join(by_name)}")
    return by_name[chosen]


def text_graph(folder: Path) -> TextGraph | None:
    """Read which graph of an artifact takes texts; None where it has none.

    Raises:
        ArtifactError: `manifest.json` is missing or not an artifact's.
    """
    path, by_name = folder / MANIFEST_FILE, {variant.name: variant for variant in variants(folder)}
    with fields_of(path, ": text"):
        # Manifests of before there was one don't mention it.
        row = read(folder).get("text")
        return TextGraph(_file(path, row["file"], TEXT_FILE), by_name[row["variant"]]) if row else None


def listed_files(manifest: dict[str, Any], path: Path) -> dict[str, FileRecord]:
    """Return name → SHA-256 and size of the files that a manifest lists: all of an artifact but itself.

    Raises:
        ArtifactError: it lists none, one outside the folder, or one without SHA-256 or size.
    """
    rows = manifest.get("files")
    if not isinstance(rows, dict):
        raise ArtifactError(f"{path}: not an artifact's manifest: lists no files")
    for listed, row in rows.items():
        inside.join(path.parent, listed, path, ArtifactError)
        if not isinstance(row, dict) or {key: type(row[key]) for key in row} != {"sha256": str, "size": int}:
            raise ArtifactError(f"{path}: files: {listed}: expected a sha256 and a size")
        if not re.fullmatch("[0-9a-f]{64}", row["sha256"]) or not 0 <= row["size"] <= limits.GRAPH_BYTES:
            raise ArtifactError(f"{path}: files: {listed}: found {row}, expected a SHA-256 and its size")
    records = {listed: FileRecord(**row) for listed, row in rows.items()}
    total = sum(record.size for record in records.values())
    if total > limits.ARTIFACT_BYTES:
        expected = f"expected at most {limits.ARTIFACT_BYTES:,}"
        raise ArtifactError(f"{path}: files: found {total:,} bytes together, {expected}")
    return records


def entry(path: Path) -> dict[str, Any]:
    """Return what a manifest says of a file."""
    sha256, size = regular_file.sha256(path, limits.GRAPH_BYTES, ArtifactError)
    return {"sha256": sha256, "size": size}


def check_file(folder: Path, name: str, record: FileRecord) -> None:
    """Check a file of an artifact against what its manifest says of it.

    Raises:
        ArtifactError: it is another, or cannot be read.
    """
    sha256, size = regular_file.sha256(folder / name, limits.GRAPH_BYTES, ArtifactError)
    if size != record.size:
        raise ArtifactError(f"{folder}: {name}: found {size} bytes, expected {record.size}")
    if sha256 != record.sha256:
        raise ArtifactError(f"{folder}: {name}: SHA-256 found {sha256}, expected {record.sha256}")


def check_files(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Check some files of an artifact against its manifest; return name → SHA-256, the manifest's too.

    Raises:
        ArtifactError: one is missing, not listed, or another.
    """
    path = folder / MANIFEST_FILE
    content = regular_file.read(path, limits.JSON_BYTES, ArtifactError)
    listed = listed_files(parse(content, path), path)
    for name in names:
        if name not in listed:
            raise ArtifactError(f"{path}: files: {name}: not listed, expected all that answers")
        check_file(folder, name, listed[name])
    hashes = {name: listed[name].sha256 for name in names}
    return {MANIFEST_FILE: hashlib.sha256(content).hexdigest(), **hashes}


def files(folder: Path) -> dict[str, dict[str, Any]]:
    """Return name → ``{sha256, size}`` of every file in a folder, sorted by path: what a manifest lists."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): entry(path) for path in paths}


def sealed(manifest: dict[str, Any]) -> str:
    """Return the text of a manifest with its own hash as the last field."""
    text = json.dumps({**manifest, SEAL: _ZEROS}, indent=2, ensure_ascii=False) + "\n"
    head, zeros, tail = text.rpartition(_ZEROS)
    assert zeros
    return head + hashlib.sha256(text.encode("utf-8")).hexdigest() + tail


def broken_seal(content: bytes) -> str | None:
    """Return what is wrong with a manifest's own hash; None where it is right."""
    end = _END.search(content)
    if end is None:
        return f"does not end with {SEAL}"
    unsealed = content[: end.start(1)] + _ZEROS.encode() + content[end.end(1) :]
    stated, digest = end.group(1).decode(), hashlib.sha256(unsealed).hexdigest()
    return None if digest == stated else f"{SEAL}: found {stated}, expected {digest}"


def reference_file(folder: Path, given: Path | None) -> Path:
    """Return `given`, or else the artifact's own reference.

    Raises:
        ArtifactError: none is given, and the artifact has none (those of before it was packaged).
    """
    path = given or folder / REFERENCE_FILE
    if not given and not path.is_file():
        raise ArtifactError(f"{path}: no such file; name a reference with --reference FILE")
    return path
