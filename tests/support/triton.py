"""Triton: its published schema, and its own server, which is inside the wheel nvidia-pytriton."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.server_process import answers, free_ports, serving

MISSING = "nvidia-pytriton, which has Triton's server, is for Linux on x86-64 and Python before 3.13"


def read_config(folder, name):
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    return text_format.Parse(
        (folder / name / "config.pbtxt").read_text("utf-8"), model_config_pb2.ModelConfig()
    )


def has_server() -> bool:
    return importlib.util.find_spec("pytriton") is not None


def _command(repository: Path, work: Path, *options: str) -> tuple[list[str], dict[str, str]]:
    """Return what starts the server on a model repository, and its environment.

    The Python backend lacks its stub, of which the wheel has one a version of Python.
    """
    if not has_server():
        pytest.skip(MISSING)
    (package,) = importlib.util.find_spec("pytriton").submodule_search_locations
    home, backends = Path(package) / "tritonserver", work / "backends"
    if not backends.is_dir():
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        shutil.copytree(home / "backends", backends)
        stub = home / "python_backend_stubs" / version / "triton_python_backend_stub"
        shutil.copy(stub, backends / "python")
    environment = {
        "LD_LIBRARY_PATH": str(Path(package).with_name("nvidia_pytriton.libs")),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    given = [f"--model-repository={repository}", f"--backend-directory={backends}", *options]
    return [str(home / "bin" / "tritonserver"), *given], environment


def refused(repository: Path, work: Path) -> str:
    """Start the server on a repository that it cannot serve; return its log."""
    ports = [f"--{kind}-port={port}" for kind, port in zip(("http", "grpc"), free_ports(2), strict=True)]
    command, environment = _command(repository, work, "--allow-metrics=false", *ports)
    ended = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 1
    return ended.stdout + ended.stderr


@contextmanager
def server(repository: Path, work: Path) -> Iterator[str]:
    """Serve a model repository; the address of gRPC. It is stopped, and nothing of it is left."""
    http, grpc = free_ports(2)
    host = [f"--{kind}-address=127.0.0.1" for kind in ("http", "grpc")]
    ports = [f"--http-port={http}", f"--grpc-port={grpc}", "--allow-metrics=false"]
    command, environment = _command(repository, work, *host, *ports)
    ready = answers(f"http://127.0.0.1:{http}/v2/health/ready")
    with serving(command, ready, work / "triton.log", environment=environment):
        yield f"127.0.0.1:{grpc}"
