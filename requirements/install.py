"""`python -m requirements.install FOLDER LOCK`: a virtual environment of exactly what a lock file lists.

`FOLDER/installed` is there while all of it is. It goes before anything is installed and comes back last,
so an interrupted pip is known by its absence, and begun again from nothing. Standard library only.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from core.disk import lock
from core.errors import ToolchainError
from requirements.pin import NEEDS_TORCH, TORCH_CPU, TORCH_CUDA

_STAMP = "installed"
_PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes")


def _finished(stamp: Path, listed: Path) -> bool:
    return stamp.is_file() and stamp.stat().st_mtime >= listed.stat().st_mtime


def attempts(listed: Path) -> list[list[Path]]:
    """Return the lock files to install from, and where that fails, from what else.

    Which build of torch pip takes is not known before: the CPU one where the user's pip finds it, else, on
    Linux, PyPI's, which needs the CUDA packages.
    """
    if NEEDS_TORCH not in listed.read_text("utf-8"):
        return [[listed]]
    return [[listed, listed.with_name(name)] for name in (TORCH_CPU, TORCH_CUDA)]


def _install(python: Path, listed: Path) -> int:
    code, said = 0, ""
    for files in attempts(listed):
        command = [str(python), *_PIP, *(part for file in files for part in ("-r", str(file)))]
        found = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
        code, said = found.returncode, f"{said}{found.stderr}"
        if code == 0:
            return 0
    print(said, end="", file=sys.stderr)
    return code


def make(folder: Path, listed: Path) -> int:
    """Install what `listed` pins by hash into `folder`; return pip's exit code.

    Raises:
        ArtifactError: the folder around it cannot be written.
    """
    stamp = folder / _STAMP
    with lock.held(folder.with_name(f"{folder.name}.lock")):
        # Another make may have done it meanwhile.
        if _finished(stamp, listed):
            return 0
        venv.create(folder, clear=not stamp.is_file(), with_pip=True, symlinks=True)
        stamp.unlink(missing_ok=True)
        code = _install(folder / "bin" / "python", listed)
        if code == 0:
            stamp.touch()
    return code


def main(arguments: list[str]) -> int:
    """Make the environment; pip's own messages say what failed."""
    if len(arguments) != 2:
        print("usage: python -m requirements.install FOLDER LOCK", file=sys.stderr)
        return 2
    try:
        return make(*map(Path, arguments))
    except ToolchainError as error:
        print(f"error: {error}", file=sys.stderr)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"error: {arguments[0]}: cannot be made: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
