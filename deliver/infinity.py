"""Write a folder for infinity: what its optimum engine loads as a classifier, and a graph that cuts texts.

Found by running infinity-emb 0.0.78 with optimum-onnx 0.1.0: the graph has to lie beside `config.json`, and
the server cuts no text. One of more tokens than the encoder has positions fails its warm-up, or ends the
thread that answers, and no request after it is answered; so the graph cuts by itself.
"""

from __future__ import annotations

from pathlib import Path

from core.contract import THRESHOLDS_FILE
from deliver import config_file
from deliver.config_file import CONFIG_FILE
from deliver.source import Source, complete
from graphs.edit import legal
from graphs.finish.cut import cut
from graphs.plain import write

GRAPH_FILE = "model.onnx"


def fill(source: Source, folder: Path) -> None:
    """Write the server's folder to an empty one.

    Raises:
        ArtifactError: the artifact is not what the server loads as a classifier.
        GraphError: the graph is not of this project.
    """
    config_file.read(source)
    rewrites = (lambda model: cut(model, source.max_length), legal.check)
    write.write(source.file, folder / GRAPH_FILE, rewrites)
    names = [CONFIG_FILE, THRESHOLDS_FILE, *config_file.tokenizer_files(source)]
    complete(source, folder, "infinity.md.j2", names)
