"""Quantize a graph with optimum, for the benchmark: `python -m bench.contenders.optimum IN OUT`.

Where optimum cannot be installed, onnxruntime's quantization with the same settings stands in; a
JSON file beside OUT says which it was, and why.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from core.disk.files import replacing, write_text
from core.errors import GraphError, ToolchainError
from requirements import install as environment

_INSTALLED = "installed"
_INSTALL_SECONDS = 900
_QUANTIZE_SECONDS = 600
_VERSIONS_SECONDS = 60
_ROOT = Path(__file__).parent.parent.parent
_VERSIONS = (
    "import json; from importlib.metadata import version as v; "
    "print(json.dumps({n: v(n) for n in ('optimum-onnx', 'optimum', 'onnxruntime')}))"
)


@dataclass(frozen=True)
class Peer:
    """Who quantized: `reason` says why it was not optimum."""

    way: Literal["optimum-onnx", "onnxruntime"]
    versions: dict[str, str]
    reason: str | None


def _run(command: list[str | Path], seconds: int) -> str:
    """Run a command; return what it prints.

    Raises:
        GraphError: it fails or takes too long; the message ends with the last line it wrote.
    """
    try:
        found = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=seconds, cwd=_ROOT
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GraphError(f"{Path(command[0]).name}: {error}") from error
    if found.returncode:
        lines = [line for line in found.stderr.splitlines() if line.strip()]
        raise GraphError(lines[-1].strip() if lines else f"exit status {found.returncode}")
    return found.stdout


def _install(python: Path, requirements: Path) -> None:
    pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    failures = []
    for files in environment.attempts(requirements):
        try:
            _run([*pip, "--require-hashes", *(f"--requirement={file}" for file in files)], _INSTALL_SECONDS)
            return
        except GraphError as error:
            failures.append(error)
    raise failures[-1]


def install(folder: Path, requirements: Path) -> Path:
    """Make the virtual environment unless it is there already; return its Python.

    Raises:
        GraphError: it cannot be made, or a package of it cannot be had.
    """
    python, stamp = folder / "bin" / "python", folder / _INSTALLED
    wanted = requirements.read_text("utf-8")
    if stamp.is_file() and stamp.read_text("utf-8") == wanted:
        return python
    _run([sys.executable, "-m", "venv", "--clear", folder], _INSTALL_SECONDS)
    _install(python, requirements)
    write_text(stamp, wanted)
    return python


def quantize(source: Path, target: Path, environment: Path | None, requirements: Path) -> Peer:
    """Write `source` in dynamic int8 to `target`, with optimum where `environment` can be made."""
    if environment is None:
        reason = "no environment for optimum was asked for"
    else:
        try:
            python = install(environment.absolute(), requirements)
            with replacing(target.absolute()) as temporary:
                _run(
                    [python, "-m", "bench.contenders.optimum_int8", source.absolute(), temporary],
                    _QUANTIZE_SECONDS,
                )
            return Peer("optimum-onnx", json.loads(_run([python, "-c", _VERSIONS], _VERSIONS_SECONDS)), None)
        except GraphError as error:
            reason = str(error)
    # Not before it is needed: onnxruntime and onnx take a second to import.
    from bench.contenders import dynamic

    with replacing(target) as temporary:
        dynamic.quantize(source, temporary)
    return Peer("onnxruntime", {"onnxruntime": version("onnxruntime")}, reason)


def main() -> int:
    """Quantize, and write down who did; 1 where the graph cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.contenders.optimum", description=__doc__.split("\n")[0]
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--venv", help="where optimum's environment goes; empty: do without optimum")
    parser.add_argument("--requirements", type=Path, default=Path("requirements-optimum.txt"))
    arguments = parser.parse_args()
    try:
        if not arguments.source.is_file():
            raise GraphError(f"{arguments.source}: no such file")
        environment = Path(arguments.venv) if arguments.venv else None
        peer = quantize(arguments.source, arguments.target, environment, arguments.requirements)
    except ToolchainError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    write_text(arguments.target.with_suffix(".json"), json.dumps(asdict(peer), indent=2) + "\n")
    why = f" ({peer.reason})" if peer.reason else ""
    print(f"  bench    peer       dynamic int8 by {peer.way}{why}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
