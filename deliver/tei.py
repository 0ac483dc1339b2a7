"""Write a folder for text-embeddings-inference: what its onnxruntime backend loads as a classifier.

Read off the sources of 1.9.3 (backends/ort/src/lib.rs, router/src/lib.rs, core/src/tokenization.rs): the
graph is `model.onnx`, or else `onnx/model.onnx`; an architecture ends in `Classification`; `config.json` has
`id2label`, `label2id`, `hidden_size` and `num_hidden_layers`; the output is `logits` in float32; the longest
text is `max_seq_length` of `sentence_bert_config.json`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from core.contract import THRESHOLDS_FILE
from core.disk.files import write_json
from core.errors import ArtifactError
from deliver import config_file
from deliver.config_file import CONFIG_FILE
from deliver.source import Source, complete

LENGTH_FILE = "sentence_bert_config.json"
GRAPH_FILE = "onnx/model.onnx"
# The most texts that its onnxruntime backend joins to one run.
MAX_BATCH = 8
# Sizes that it reads, and what DistilBERT's config.json calls them.
_SIZES = {"hidden_size": "dim", "num_hidden_layers": "n_layers"}


def fill(source: Source, folder: Path) -> None:
    """Write the server's folder to an empty one.

    Raises:
        ArtifactError: the artifact is not what the server loads as a classifier of several labels.
    """
    config = config_file.read(source)
    if len(source.labels) < 2:
        raise ArtifactError(
            f"{source.file}: one label: the server takes that for a reranker; expected several"
        )
    for size, other in _SIZES.items():
        config[size] = config.get(size, config.get(other))
        if not isinstance(config[size], int):
            found = f"found {config[size]!r}; expected a whole number, here or as {other}"
            raise ArtifactError(f"{source.folder / CONFIG_FILE}: {size}: {found}")
    write_json(folder / CONFIG_FILE, config)
    write_json(folder / LENGTH_FILE, {"max_seq_length": source.max_length, "do_lower_case": False})
    (folder / GRAPH_FILE).parent.mkdir()
    shutil.copyfile(source.file, folder / GRAPH_FILE)
    names = [THRESHOLDS_FILE, *config_file.tokenizer_files(source)]
    complete(source, folder, "tei.md.j2", names, max_batch=MAX_BATCH)
