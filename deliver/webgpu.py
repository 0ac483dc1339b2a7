"""Write a folder for transformers.js in WebGPU, in float16 and in float32.

A graph of an artifact has two groups of rows, of which one may be empty; WebGPU runs no kernel on nothing.
"""

from __future__ import annotations

from pathlib import Path

from core.artifact.manifest import Tolerance
from core.contract import THRESHOLDS_FILE, VARIANT_FILES
from core.errors import ArtifactError
from deliver import config_file, gate
from deliver.config_file import CONFIG_FILE
from deliver.source import Source, complete
from graphs.plain import write

_VARIANT = "fp32"
# Where transformers.js looks for `dtype: "fp32"` and `"fp16"`.
GRAPH_FILE, HALF_FILE = VARIANT_FILES[_VARIANT], "onnx/model_fp16.onnx"


def fill(source: Source, folder: Path) -> None:
    """Write both graphs, config, tokenizer, thresholds and a README to an empty folder.

    In float16 it may decide as many texts otherwise as the artifact's `int8`.

    Raises:
        ArtifactError: the variant is another than `fp32`.
        GraphError: the graph is not of this project, or has a number beyond float16's.
        GateError: a graph is over its tolerance, or the artifact states none.
    """
    if source.variant != _VARIANT:
        raise ArtifactError(f"{source.file}: variant: found {source.variant!r}; expected {_VARIANT}")
    whole, most = gate.tolerance_of(source, _VARIANT), gate.tolerance_of(source, "int8").max_flip_rate
    figures = {}
    (folder / GRAPH_FILE).parent.mkdir()
    for name, file, rewrites, tolerance in (
        ("fp32", GRAPH_FILE, write.PLAIN, whole),
        ("fp16", HALF_FILE, write.HALF, Tolerance(None, most)),
    ):
        write.write(source.file, folder / file, rewrites)
        figures[name] = gate.decisions(source, folder / file, name, tolerance)
    names = [CONFIG_FILE, THRESHOLDS_FILE, *config_file.tokenizer_files(source)]
    complete(source, folder, "webgpu.md.j2", names, figures=figures)
