"""Running commands as people do: in processes of their own."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.places import ROOT

# What an environment with numpy, onnxruntime and tokenizers alone does not have.
BLOCKED = (
    "torch transformers sklearn skl2onnx onnx onnx_ir onnxscript onnxsim pydantic typer rich jinja2 "
    "matplotlib scipy safetensors huggingface_hub"
).split()


def call(*line: object, cwd: Path = ROOT, **more: object) -> subprocess.CompletedProcess[str]:
    """Run a command line in the checkout; its output as text, its exit status for the test to judge."""
    more = {"capture_output": True, "text": True, "check": False, **more}
    return subprocess.run([*map(str, line)], cwd=cwd, **more)


def in_terminal(*line: object, cwd: Path = ROOT, **more: object) -> subprocess.CompletedProcess[str]:
    """Run a command line as `call` does, in a terminal: all that it prints there is its output."""
    reader, writer = pty.openpty()
    process = subprocess.Popen([*map(str, line)], cwd=cwd, stdout=writer, stderr=writer, **more)
    os.close(writer)
    printed = b""
    # Linux says with an error that nobody writes any more.
    with suppress(OSError):
        while part := os.read(reader, 65_536):
            printed += part
    os.close(reader)
    return subprocess.CompletedProcess(line, process.wait(), printed.decode(), "")


def environment_of_make(*dropped: str) -> dict[str, str]:
    """This process's environment for a make of its own: not one that a make around it started."""
    names = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "TORCH", "TORCH_INDEX", *dropped}
    return {name: value for name, value in os.environ.items() if name not in names}


def run(module: str, *arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
    """Run `python -m MODULE ARGUMENTS` as `call` does."""
    return call(sys.executable, "-m", module, *arguments, **more)


def python(program: str, *arguments: object, **more: object) -> subprocess.CompletedProcess[str]:
    """Run a program in Python as `call` does."""
    return call(sys.executable, "-c", program, *arguments, **more)


def without_the_build(folder: Path) -> dict[str, str]:
    """An environment in which nothing of the build's can be imported."""
    (folder / "sitecustomize.py").write_text(
        f"import sys\nfor name in {BLOCKED!r}: sys.modules[name] = None\n"
    )
    return {"PYTHONPATH": str(folder)}


def assert_failed(result: tuple[int, pytest.CaptureResult[str]], *words: str, status: int = 2) -> None:
    """Hold a command that ran in this process to a status and one error with all of these words."""
    ended, printed = result
    assert ended == status
    assert printed.err.count("error: ") == 1
    for word in words:
        assert word in printed.err
