"""`python -m requirements.pin UV`: pin everything that is installed, by version and by hash, in lock files.

`requirements.txt` is what pyproject.toml's extras `build`, `score` and `test` need, `requirements-NAME.txt`
what `requirements-NAME.in` asks for (a line `# extras: A` adds the project's own). Every file of a version is
listed, for Linux, macOS and Windows. Pins that are there stay where they still fit: remove a line to let it
move. torch has two files of its own, for its builds of one version. Standard library only.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

MAIN = "requirements.txt"
# PyPI's torch for Linux needs the CUDA packages; its CPU build, and those for macOS and Windows, do not.
TORCH_CPU, TORCH_CUDA = "requirements-torch-cpu.txt", "requirements-torch-cuda.txt"
NEEDS_TORCH = (
    "# Needs requirements-torch-cpu.txt or, on Linux with PyPI's build, requirements-torch-cuda.txt.\n"
)
_CUDA_NAMES = re.compile(r"(nvidia|cuda)-|triton=")
_TORCH = re.compile(r"torch==[^ ]+")
_HASH = re.compile(r"sha256:([0-9a-f]{64})")
_COMPILE = "pip compile --universal --no-header --quiet --python-version 3.11".split()
_OPTIONS = "--generate-hashes --no-annotate --no-emit-index-url --fork-strategy fewest".split()
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


def joined(found: Sequence[str]) -> str:
    """Return a lock file's text of some entries."""
    return "".join(f"{entry}\n" for entry in found)


def split(found: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Return entries as those that every machine takes, torch, and what only its CUDA build needs."""
    cuda = [entry for entry in found if _CUDA_NAMES.match(entry)]
    torch = [entry for entry in found if _TORCH.match(entry)]
    return [entry for entry in found if entry not in cuda and entry not in torch], torch, cuda


def builds(torch: str, linux: set[str], cpu: Sequence[str]) -> tuple[str, str]:
    """Return torch's entry with the hashes of CPU builds, and of builds for CUDA.

    Args:
        torch: the entry with all hashes of the index.
        linux: hashes of the index's builds for Linux, which are for CUDA.
        cpu: hashes of CPU builds that are not on the index.
    """
    first = torch.split(" \\\n")[0]
    listed = set(_HASH.findall(torch))

    def entry(hashes: set[str]) -> str:
        return " \\\n".join([first, *(f"    --hash=sha256:{digest}" for digest in sorted(hashes))])

    return entry((listed - linux) | set(cpu)), entry(listed & linux)


def _linux_builds(uv: str, pin: str) -> set[str]:
    with tempfile.TemporaryDirectory() as scratch:
        wanted, found = Path(scratch) / "torch.in", Path(scratch) / "pylock.torch.toml"
        wanted.write_text(f"{pin}\n", "utf-8")
        command = [uv, *_COMPILE, "--no-deps", "--format", "pylock.toml", str(wanted), "-o", str(found)]
        subprocess.run(command, check=True)
        (package,) = tomllib.loads(found.read_text("utf-8"))["packages"]
    return {wheel["hashes"]["sha256"] for wheel in package["wheels"] if "linux" in wheel["url"]}


def _resolve(uv: str, sources: Sequence[str], target: Path) -> list[str]:
    # uv keeps versions and hashes that are pinned; of torch all hashes are wanted, not those of one file.
    pinned = [path.read_text("utf-8") for path in (target, target.with_name(TORCH_CUDA)) if path.is_file()]
    kept = [entry for text in pinned for entry in entries(text) if not _TORCH.match(entry)]
    scratch = target.with_suffix(".lock.tmp")
    scratch.write_text(joined(kept), "utf-8")
    try:
        subprocess.run([uv, *_COMPILE, *_OPTIONS, *sources, "-o", str(scratch)], check=True)
        return list(entries(scratch.read_text("utf-8")))
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
        ValueError: two lock files want different versions of torch.
    """
    tables = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["tool"]
    jobs = {folder / MAIN: _project(_EXTRAS)}
    jobs |= {path.with_suffix(".txt"): _sources(path) for path in sorted(folder.glob("requirements-*.in"))}
    torches: set[str] = set()
    cudas: set[str] = set()
    for target, sources in jobs.items():
        plain, torch, cuda = split(_resolve(uv, sources, target))
        target.write_text(_HEAD + (NEEDS_TORCH if torch else "") + joined(plain), "utf-8")
        torches |= set(torch)
        cudas |= set(cuda)
    if len(torches) != 1:
        raise ValueError(f"torch: found {sorted(torches)}, expected one version in all lock files")
    (entry,) = torches
    pin = entry.split(" ")[0]
    cpu, gpu = builds(entry, _linux_builds(uv, pin), tables["lockfiles"]["cpu-builds"].get(pin, []))
    (folder / TORCH_CPU).write_text(_HEAD + joined([cpu]), "utf-8")
    (folder / TORCH_CUDA).write_text(_HEAD + joined([gpu, *sorted(cudas)]), "utf-8")
    return [*jobs, folder / TORCH_CPU, folder / TORCH_CUDA]


def main(arguments: list[str]) -> int:
    """Write the lock files of the checkout that it is run in."""
    if len(arguments) != 1:
        print("usage: python -m requirements.pin UV", file=sys.stderr)
        return 2
    try:
        for path in write(arguments[0], Path()):
            print(f"  lock     {path}: {len(list(entries(path.read_text('utf-8'))))} packages")
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
