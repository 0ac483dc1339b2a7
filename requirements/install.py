"""Make a virtual environment of what a lock file lists: `python -m requirements.install FOLDER LOCK`.

`FOLDER/installed` is there while the environment is complete: it is removed before anything is installed and
written last. Without it, after an interrupted pip, the environment is made anew; a folder that is no
environment is left as it is. Standard library only.
"""

from __future__ import annotations

import core.start  # isort: skip  # noqa: F401  what fails or is interrupted from here on ends in a line

import fcntl
import subprocess
import sys
import venv
from pathlib import Path

from core.build import installed
from core.build.installed import TORCH_CPU, TORCH_CUDA
from requirements.pin import NEEDS_TORCH

_PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes")


def attempts(lock_file: Path) -> list[list[Path]]:
    """Return the lock files to install from, and those to try where that fails.

    Which build of torch pip will take is not known before: the CPU build where the user's pip finds it, else,
    on Linux, the index's, which needs the CUDA packages.
    """
    if NEEDS_TORCH not in lock_file.read_text("utf-8"):
        return [[lock_file]]
    return [[lock_file, lock_file.with_name(name)] for name in (TORCH_CPU, TORCH_CUDA)]


def _install(python: Path, lock_file: Path) -> int:
    errors = ""
    for files in attempts(lock_file):
        command = [str(python), *_PIP, *(f"--requirement={file}" for file in files)]
        result = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
        if result.returncode == 0:
            return 0
        errors += result.stderr
    print(errors, end="", file=sys.stderr)
    return result.returncode


def _check_environment(folder: Path) -> None:
    """Check that what will be cleared is an environment, or holds no files."""
    if (folder / "pyvenv.cfg").is_file() or not folder.exists():
        return
    file = next((path for path in sorted(folder.rglob("*")) if not path.is_dir()), None)
    if file is not None or not folder.is_dir():
        raise FileExistsError(f"found {file or 'a file'}, expected an environment or an empty folder")


def make(folder: Path, lock_file: Path) -> int:
    """Install what `lock_file` pins into `folder`, one process at a time; return pip's exit code.

    Raises:
        OSError: a file cannot be read or written, or the folder is another than an environment.
        subprocess.CalledProcessError: the new environment has no pip.
    """
    stamp = folder / installed.STAMP
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        # Another make may have done it meanwhile.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if installed.is_current(stamp, lock_file):
            return 0
        _check_environment(folder)
        venv.create(folder, clear=not stamp.is_file(), with_pip=True, symlinks=True)
        stamp.unlink(missing_ok=True)
        code = _install(folder / "bin" / "python", lock_file)
        if code == 0:
            stamp.write_text(installed.content(lock_file), "ascii")
    return code


def main(arguments: list[str]) -> int:
    """Make the environment; pip's own messages say what failed."""
    if len(arguments) != 2:
        print("usage: python -m requirements.install FOLDER LOCK", file=sys.stderr)
        return 2
    try:
        return make(*map(Path, arguments))
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"error: {arguments[0]}: cannot be made: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
