"""Read an artifact's `config.json`, of which servers take labels and sizes, and hold it to the graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.artifact import manifest
from core.contract import LOGITS, TOKENIZER_FILES
from core.errors import ArtifactError
from core.untrusted import json_file
from deliver.source import Source, Tensor, own_file

CONFIG_FILE = "config.json"


def _check(path: Path, config: dict[str, Any], source: Source) -> None:
    """Compare `config.json` with the graph's own labels and limit.

    Raises:
        ArtifactError: a server would refuse it, or answer with other names.
    """
    for key, expected in {
        "id2label": {str(index): label for index, label in enumerate(source.labels)},
        "label2id": {label: index for index, label in enumerate(source.labels)},
    }.items():
        if config.get(key) != expected:
            raise ArtifactError(f"{path}: {key}: found {config.get(key)}; expected the graph's labels")
    if config.get("problem_type") != source.problem_type:
        found, expected = config.get("problem_type"), source.problem_type
        raise ArtifactError(f"{path}: problem_type: found {found!r}; expected the graph's, {expected!r}")
    architectures = config.get("architectures") or []
    if not any(name.endswith("Classification") for name in architectures):
        raise ArtifactError(
            f"{path}: architectures: found {architectures}; expected one ending in Classification"
        )
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int) or positions < source.max_length:
        raise ArtifactError(
            f"{path}: max_position_embeddings: found {positions}; expected at least {source.max_length}"
        )


def read(source: Source) -> dict[str, Any]:
    """Read `config.json` of an artifact whose labels share an output.

    Raises:
        ArtifactError: the graph gives no float32 logits `[batch, labels]`, or the file does not fit to it.
    """
    columns = len(source.labels)
    logits = source.output(LOGITS)
    if logits != Tensor(LOGITS, "tensor(float)", (None, columns)):
        stated = f"{logits.type}{list(logits.axes)}"
        raise ArtifactError(f"{source.file}: {LOGITS}: found {stated}; expected float [batch, {columns}]")
    path = own_file(source.folder, CONFIG_FILE)
    config = json_file.read_object(path, ArtifactError)
    _check(path, config, source)
    return config


def tokenizer_files(source: Source) -> list[str]:
    """Return the names of the tokenizer's files; of another than WordPiece there is no list of tokens."""
    listed = manifest.listed_files(manifest.read(source.folder), source.folder / manifest.MANIFEST_FILE)
    return [name for name in TOKENIZER_FILES if name in listed]
