"""Write a folder for search engines and libraries that send `token_type_ids` whatever a graph takes."""

from __future__ import annotations

from pathlib import Path

from core.artifact.graph import open_limited
from core.artifact.manifest import TOKENIZER_FILE
from core.contract import THRESHOLDS_FILE, TOKEN_TYPE_IDS
from deliver import gate
from deliver.source import Source, complete
from graphs.plain import write

GRAPH_FILE = "model.onnx"


def fill(source: Source, folder: Path) -> None:
    """Write graph, tokenizer, thresholds and a README to an empty folder.

    Raises:
        GraphError: the graph is not of this project.
        GateError: an answer depends on the token types.
    """
    write.write(source.file, folder / GRAPH_FILE, write.TOKEN_TYPES)
    session = open_limited(folder / GRAPH_FILE)
    gate.answers(source, session.run, "search", {TOKEN_TYPE_IDS: 1})
    complete(source, folder, "search.md.j2", (TOKENIZER_FILE, THRESHOLDS_FILE))
