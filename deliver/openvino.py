"""Write a folder for OpenVINO: a graph of operators that its ONNX frontend converts.

It has no rule for `QAttention`, which `int8` takes for rows without padding, and converts every branch.
"""

from __future__ import annotations

from pathlib import Path

from core.artifact.manifest import TOKENIZER_FILE
from core.contract import THRESHOLDS_FILE
from deliver.source import Source, complete
from graphs.finish import padded

GRAPH_FILE = "model.onnx"


def fill(source: Source, folder: Path) -> None:
    """Write graph, tokenizer, thresholds and a README to an empty folder.

    Raises:
        GraphError: the graph is not of this project.
    """
    padded.write(source.file, folder / GRAPH_FILE)
    complete(source, folder, "openvino.md.j2", (TOKENIZER_FILE, THRESHOLDS_FILE))
