"""Write a folder for engines that know standard operators alone: int8 in QDQ form, batches as they come."""

from __future__ import annotations

from pathlib import Path

from core.artifact.manifest import TOKENIZER_FILE
from core.contract import PREDICTIONS, THRESHOLDS_FILE
from core.errors import ArtifactError
from deliver import gate
from deliver.source import Source, complete
from graphs.plain import write

GRAPH_FILE = "model.onnx"
_REWRITES = {"int8": write.QDQ, "fp32": write.PLAIN}


def fill(source: Source, folder: Path) -> None:
    """Write graph, tokenizer, thresholds and a README to an empty folder.

    Raises:
        ArtifactError: the variant is another than `int8` and `fp32`.
        GraphError: the graph is not of this project.
        GateError: the graph is over the variant's tolerance.
    """
    if source.variant not in _REWRITES:
        expected = " or ".join(_REWRITES)
        raise ArtifactError(f"{source.file}: variant: found {source.variant!r}; expected {expected}")
    write.write(source.file, folder / GRAPH_FILE, _REWRITES[source.variant])
    tolerance = gate.tolerance_of(source, source.variant)
    figures = gate.decisions(source, folder / GRAPH_FILE, "qdq", tolerance)
    # tract hands outputs over by their place.
    predictions = next((at for at, output in enumerate(source.outputs) if output.name == PREDICTIONS), None)
    more = {"figures": figures, "predictions": predictions}
    complete(source, folder, "qdq.md.j2", (TOKENIZER_FILE, THRESHOLDS_FILE), **more)
