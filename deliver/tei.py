"""Write a folder for text-embeddings-inference: what its onnxruntime backend loads as a classifier.

Read off its sources (router/src/lib.rs, backends/ort/src/lib.rs, core/src/download.rs): `onnx/model.onnx`, an
architecture ending in `Classification`, `id2label` and `label2id`, `logits` in float32; the longest text is
`max_seq_length` of `sentence_bert_config.json`.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from core.artifact import manifest
from core.contract import LOGITS, THRESHOLDS_FILE, TOKENIZER_FILES
from core.disk.files import write_json
from core.errors import ArtifactError
from core.untrusted import json_file
from deliver.source import Source, Tensor, complete, own_file

CONFIG_FILE = "config.json"
LENGTH_FILE = "sentence_bert_config.json"
GRAPH_FILE = "onnx/model.onnx"


def _check_config(path: Path, config: dict[str, Any], source: Source) -> None:
    """Compare `config.json` with the graph's own labels and limit.

    Raises:
        ArtifactError: the server would refuse it, or answer with other names.
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


def fill(source: Source, folder: Path) -> None:
    """Write the server's folder to an empty one.

    Raises:
        ArtifactError: the artifact is not what the server loads as a classifier of several labels.
    """
    columns = len(source.labels)
    logits = source.output(LOGITS)
    if logits != Tensor(LOGITS, "tensor(float)", (None, columns)):
        stated = f"{logits.type}{list(logits.axes)}"
        raise ArtifactError(f"{source.file}: {LOGITS}: found {stated}; expected float [batch, {columns}]")
    if columns < 2:
        raise ArtifactError(
            f"{source.file}: one label: the server takes that for a reranker; expected several"
        )
    path = own_file(source.folder, CONFIG_FILE)
    _check_config(path, json_file.read_object(path, ArtifactError), source)
    limit = {"max_seq_length": source.max_length, "do_lower_case": False}
    write_json(folder / LENGTH_FILE, limit)
    (folder / GRAPH_FILE).parent.mkdir()
    shutil.copyfile(source.file, folder / GRAPH_FILE)
    # Of another tokenizer than WordPiece there is no list of tokens.
    listed = manifest.listed_files(manifest.read(source.folder), source.folder / manifest.MANIFEST_FILE)
    tokenizer = [name for name in TOKENIZER_FILES if name in listed]
    complete(source, folder, "tei.md.j2", (CONFIG_FILE, THRESHOLDS_FILE, *tokenizer))
