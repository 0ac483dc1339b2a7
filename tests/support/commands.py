"""Running `python -m verify` as people do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

# What an environment with numpy, onnxruntime and tokenizers alone does not have.
BLOCKED = (
    "torch transformers sklearn skl2onnx onnx onnx_ir onnxscript onnxsim pydantic typer rich jinja2 "
    "matplotlib scipy safetensors huggingface_hub"
).split()


def run(*arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "verify", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **more)


def without_the_build(folder: Path) -> dict[str, str]:
    """An environment in which nothing of the build's can be imported."""
    (folder / "sitecustomize.py").write_text(
        f"import sys\nfor name in {BLOCKED!r}: sys.modules[name] = None\n"
    )
    return {"PYTHONPATH": str(folder)}
