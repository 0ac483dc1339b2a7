"""`python -m export.lockfiles UV`: pin everything that is installed, by version and by hash, in lock files.

`requirements.txt` is what pyproject.toml's extras `build`, `score` and `test` need, `requirements-NAME.txt`
what `requirements-NAME.in` asks for (a line `# extras: A` adds the project's own). Every file of a version is
listed, for Linux, macOS and Windows. Pins that are there stay where they still fit: remove a line to let it
move. Standard library only.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

MAIN = "requirements.txt"
# What PyPI's torch brings along on Linux; its CPU build, which `requirements.txt` is for, needs none of it.
CUDA = "requirements-cuda.txt"
_CUDA_NAMES = re.compile(r"(nvidia|cuda)-|triton=")
_OPTIONS = (
    "--generate-hashes --universal --no-header --no-annotate --no-emit-index-url --quiet "
    "--fork-strategy fewest --python-version 3.11"
).split()
_EXTRAS = ["build", "score", "test"]
_HEAD = "# Written by `make lock`; --require-hashes installs from it.\n"


def entries(text: str) -> Iterator[str]:
    """Yield each requirement of a lock file with its hashes, as it stands there."""
    found: list[str] = []
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if found and not line.startswith(" "):
            yield "\n".join(found)
            found = []
        found.append(line)
    if found:
        yield "\n".join(found)


def with_hashes(entry: str, more: Mapping[str, Sequence[str]]) -> str:
    """Return an entry with the hashes that `more` has for its `NAME==VERSION`."""
    pin = re.split(r"[ ;\\]", entry, maxsplit=1)[0]
    added = [f"    --hash=sha256:{digest}" for digest in more.get(pin, ()) if digest not in entry]
    return " \\\n".join([entry, *added])


def split(text: str, more: Mapping[str, Sequence[str]]) -> tuple[str, str]:
    """Return what `uv` resolved as two lock files: without, and with only, the CUDA packages."""
    found = [with_hashes(entry, more) for entry in entries(text)]
    parts = [entry for entry in found if not _CUDA_NAMES.match(entry)]
    cuda = [entry for entry in found if _CUDA_NAMES.match(entry)]
    return "".join(f"{entry}\n" for entry in parts), "".join(f"{entry}\n" for entry in cuda)


def _resolve(uv: str, sources: Sequence[str], target: Path) -> str:
    # Both files, so that what was split off is preferred again, too.
    kept = [path.read_text("utf-8") for path in (target, target.with_name(CUDA)) if path.is_file()]
    scratch = target.with_suffix(".lock.tmp")
    scratch.write_text("".join(kept), "utf-8")
    try:
        subprocess.run([uv, "pip", "compile", *_OPTIONS, *sources, "-o", str(scratch)], check=True)
        return scratch.read_text("utf-8")
    finally:
        scratch.unlink()


def _project(extras: Sequence[str]) -> list[str]:
    return [*(f"--extra={extra}" for extra in extras), "pyproject.toml"] if extras else []


def _sources(path: Path) -> list[str]:
    stated = re.search(r"^# extras: (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return [*_project(stated.group(1).split() if stated else []), str(path)]


def write(uv: str, folder: Path) -> list[Path]:
    """Write every lock file of a checkout; return their paths.

    Raises:
        subprocess.CalledProcessError: uv found no solution; it said why.
    """
    more = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["tool"]["lockfiles"]["more-hashes"]
    jobs = {folder / MAIN: _project(_EXTRAS)}
    jobs |= {path.with_suffix(".txt"): _sources(path) for path in sorted(folder.glob("requirements-*.in"))}
    cuda: set[str] = set()
    for target, sources in jobs.items():
        plain, extra = split(_resolve(uv, sources, target), more)
        target.write_text(_HEAD + plain, "utf-8")
        cuda |= set(entries(extra))
    (folder / CUDA).write_text(_HEAD + "".join(f"{entry}\n" for entry in sorted(cuda)), "utf-8")
    return [*jobs, folder / CUDA]


def main(arguments: list[str]) -> int:
    """Write the lock files of the checkout that it is run in."""
    if len(arguments) != 1:
        print("usage: python -m export.lockfiles UV", file=sys.stderr)
        return 2
    try:
        for path in write(arguments[0], Path()):
            count = len(list(entries(path.read_text("utf-8"))))
            print(f"  lock     {path}: {count} packages")
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
