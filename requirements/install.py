"""Make a virtual environment of what a lock file lists: `python -m requirements.install FOLDER LOCK`.

Before anything is downloaded, the build of torch is chosen, and one line says what comes and how large it is.
`FOLDER/installed` is there while the environment is complete: it is removed before anything is installed and
written last. Without it, after an interrupted pip, the environment is made anew; a folder that is no
environment is left as it is. Standard library only.
"""

from __future__ import annotations

import core.start  # isort: skip  # noqa: F401  what fails or is interrupted from here on ends in a line

import fcntl
import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

from core.build import installed
from core.cli import exit_code
from core.errors import InstallError
from requirements import torch_build

_ROOT = Path(__file__).resolve().parents[1]
_WHERE = "Python 3.11 to 3.14 on Linux (x86_64 or aarch64, glibc 2.28) or macOS 14 on Apple silicon"
_PIP = ("-m", "pip", "install", "--disable-pip-version-check", "--require-hashes")


def _python(folder: Path) -> Path:
    return (folder / "bin" / "python").absolute()


def _lock_files(lock_file: Path, build: str) -> list[Path]:
    """Return a lock file, and that of a build of torch where one is named."""
    return [lock_file, *([lock_file.with_name(installed.BUILDS[build])] if build else [])]


def _plan(python: Path, lock_file: Path, build: str) -> dict[str, Any]:
    """Return what `requirements.plan` says of the new environment.

    Raises:
        InstallError: a pin has no file for this system and Python.
    """
    paths = (str(path.absolute()) for path in _lock_files(lock_file, build))
    line = [str(python), "-m", "requirements.plan", *paths]
    told = subprocess.run(line, check=False, capture_output=True, text=True, cwd=_ROOT)
    if told.returncode:
        said = told.stderr.strip().splitlines() or ["nothing said"]
        raise InstallError(f"{python}: cannot tell what fits this system: {said[-1]}")
    plan: dict[str, Any] = json.loads(told.stdout)
    if plan["missing"]:
        found = f"found no wheel of {' and '.join(plan['missing'])} for {torch_build.place()}"
        raise InstallError(f"{lock_file}: {found}, expected {_WHERE}")
    return plan


def about(size_bytes: int) -> str:
    """Return a size in words."""
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.0f} MB"


def _described(plan: dict[str, Any], build: str) -> str:
    """Return in a line what will be installed, and how large it is."""
    count = plan["packages"]
    parts = [f"{count} package{'' if count == 1 else 's'} for {torch_build.place()}"]
    parts += [f"torch for {build.upper()}"] if build else []
    parts += [f"{name} built from its source" for name in plan["sources"]]
    return f"{', '.join(parts)}: about {about(plan['size_bytes'])}"


def _choose(python: Path, lock_file: Path, asked: torch_build.Wish) -> tuple[str, dict[str, Any]]:
    """Return the build of torch to install, nothing where none is needed, and the plan of all.

    Raises:
        InstallError: the user has to choose, or something is not to be had.
    """
    if not installed.needs_torch(lock_file):
        return "", _plan(python, lock_file, "")
    plan = _plan(python, lock_file, "cpu")
    build = torch_build.choose(python, lock_file, asked)
    if build == "cpu":
        return build, plan
    of_cuda = _plan(python, lock_file, "cuda")
    if build == "cuda":
        return build, of_cuda
    version, sizes = torch_build.cpu_version(lock_file), [about(of["size_bytes"]) for of in (plan, of_cuda)]
    raise InstallError(
        f"torch: pip finds no CPU build for {torch_build.place()}: say TORCH=cpu TORCH_INDEX=ADDRESS, an "
        f"index that has {version} as PyTorch's own does ({sizes[0]} in all), or TORCH=cuda for the default "
        f"index's build ({sizes[1]})"
    )


def _pip(line: list[str], folder: Path) -> None:
    """Run pip: where somebody looks on, it shows what it does; elsewhere it speaks only where it fails.

    Raises:
        InstallError: it failed, and said why.
    """
    if sys.stdout.isatty():
        ended = subprocess.run(line, check=False)
    else:
        ended = subprocess.run([*line, "--quiet"], check=False, stderr=subprocess.PIPE)
    if ended.returncode:
        sys.stderr.write((ended.stderr or b"").decode(errors="replace"))
        raise InstallError(f"{folder}: pip failed with status {ended.returncode}, and said why")


def _install(folder: Path, lock_file: Path, asked: torch_build.Wish) -> str:
    """Install what a lock file lists; return the build of torch, or nothing where it needs none.

    Raises:
        InstallError: as `_choose`, or pip failed, and said why.
    """
    python = _python(folder)
    build, plan = _choose(python, lock_file, asked)
    print(f"  install  {folder}: {_described(plan, build)}", flush=True)
    # torch comes first and alone, so that its index is asked for nothing else.
    _, *of_torch = _lock_files(lock_file, build)
    steps = [["--no-deps", *asked.options, f"--requirement={path}"] for path in of_torch]
    for step in [*steps, [f"--requirement={lock_file}"]]:
        _pip([str(python), *_PIP, *step], folder)
    return build


def _check_environment(folder: Path) -> None:
    """Check that what will be cleared is an environment, or holds no files."""
    if (folder / "pyvenv.cfg").is_file() or not folder.exists():
        return
    file = next((path for path in sorted(folder.rglob("*")) if not path.is_dir()), None)
    if file is not None or not folder.is_dir():
        raise InstallError(
            f"{folder}: cannot be made: found {file or 'a file'}, expected an environment or an empty folder"
        )


def _create(folder: Path, clear: bool) -> None:
    try:
        venv.create(folder, clear=clear, with_pip=True, symlinks=True)
    except subprocess.CalledProcessError as error:
        without = f"{sys.executable} has no ensurepip, which Debian and Ubuntu have in python3-venv"
        raise InstallError(f"{folder}: cannot be made: {without}") from error


def make(folder: Path, lock_file: Path) -> None:
    """Install what `lock_file` pins into `folder`, one process at a time.

    Raises:
        InstallError: something has to be chosen or is not to be had, or the folder is another than an
            environment.
        OSError: a file cannot be read or written.
    """
    stamp = folder / installed.STAMP
    asked = torch_build.wish()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        # Another make may have done it meanwhile.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if installed.is_current(stamp, lock_file, asked.build):
            return
        _check_environment(folder)
        before = installed.build_of(stamp)
        # With another build of torch the packages of this one would stay.
        other = installed.needs_torch(lock_file) and asked.build not in ("", before)
        if other and stamp.is_file():
            # A choice that cannot be had costs nobody an environment.
            _choose(_python(folder), lock_file, asked)
        _create(folder, clear=other or not stamp.is_file())
        stamp.unlink(missing_ok=True)
        build = _install(folder, lock_file, asked if asked.build else torch_build.Wish(before))
        stamp.write_text(f"{installed.content(lock_file)} {build}".strip(), "ascii")


def main(arguments: list[str]) -> int:
    """Make the environment."""
    if len(arguments) != 2:
        print("usage: python -m requirements.install FOLDER LOCK", file=sys.stderr)
        return 2
    return exit_code(lambda paths: make(*paths), [Path(path) for path in arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
