"""Write a folder in onnxruntime's own format, for its mobile and minimal builds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from core import runtime
from core.artifact.manifest import TOKENIZER_FILE
from core.contract import THRESHOLDS_FILE
from core.errors import ArtifactError
from deliver import gate
from deliver.source import Source, complete

GRAPH_FILE = "model.ort"
OPERATORS_FILE = "required_operators.config"
_MOST_SECONDS = 600
_TOOL = "onnxruntime.tools.convert_onnx_models_to_ort"
# What is not for one kind of processor; with the types, a build leaves out kernels of all others.
_OPTIONS = ("--optimization_style", "Fixed", "--enable_type_reduction")
_LEVEL = {"ORT_CONVERT_ONNX_MODELS_TO_ORT_OPTIMIZATION_LEVEL": "all"}


def _convert(source: Source, folder: Path) -> None:
    """Write graph and list of operators by onnxruntime's own tool, in a process of its own.

    Raises:
        ArtifactError: it fails, or takes too long.
    """
    with tempfile.TemporaryDirectory() as scratch:
        given, made = Path(scratch, "model.onnx"), Path(scratch, "ort")
        shutil.copyfile(source.file, given)
        command = [sys.executable, "-m", _TOOL, str(given), "--output_dir", str(made), *_OPTIONS]
        try:
            subprocess.run(
                command,
                env={**os.environ, **_LEVEL},
                check=True,
                capture_output=True,
                text=True,
                timeout=_MOST_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise ArtifactError(f"{source.file}: {_TOOL}: not done in {_MOST_SECONDS} s") from error
        except subprocess.CalledProcessError as error:
            said = (error.stderr.strip().splitlines() or ["no message"])[-1]
            raise ArtifactError(f"{source.file}: {_TOOL}: {said}") from error
        shutil.copyfile(made / GRAPH_FILE, folder / GRAPH_FILE)
        (listed,) = made.glob("*.config")
        # The tool's comments name this machine's folders.
        lines = [line for line in listed.read_text("utf-8").splitlines() if not line.startswith("#")]
    (folder / OPERATORS_FILE).write_text("".join(f"{line}\n" for line in lines), "utf-8")


def fill(source: Source, folder: Path) -> None:
    """Write graph, list of operators, tokenizer, thresholds and a README to an empty folder.

    Raises:
        ArtifactError: onnxruntime's tool fails.
        GateError: an answer is another than the variant's.
    """
    _convert(source, folder)
    session = runtime.open_session(folder / GRAPH_FILE, own_format=True)
    gate.answers(source, session.run, "ort")
    complete(source, folder, "ort.md.j2", (TOKENIZER_FILE, THRESHOLDS_FILE), operators=OPERATORS_FILE)
