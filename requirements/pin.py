"""Pin everything that is installed, by version and by hash: `python -m requirements.pin UV`.

A lock file holds what a dependency group of pyproject.toml and some extras need on Linux and macOS, with the
hash of every file of each version. A version that a lock file has stays while pyproject.toml allows it:
remove its lines to let it move. torch has two files of its own, for the builds of one version. What file each
hash is of stands in `files.csv`. Standard library only.
"""

from __future__ import annotations

import core.start  # isort: skip  # noqa: F401  what fails or is interrupted from here on ends in a line

import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote

# The index's torch for Linux needs the CUDA packages; its CPU build, and that for macOS, do not.
from core.build.installed import TORCH_CPU, TORCH_CUDA
from requirements import files
from requirements.files import File

_FOLDER = Path("requirements")
# A lock file holds the dependency group of its name, and these extras.
EXTRAS = {"build": ["build", "score"], "ray": ["ray"], "serve": ["serve"]}
NEEDS_TORCH = f"# Needs {TORCH_CPU} or, on Linux with the index's build, {TORCH_CUDA}.\n"
_HEADER = "# Written by `make lock`; --require-hashes installs from it.\n"
_COMPILE = "pip compile --universal --no-header --quiet --python-version 3.11".split()
_OPTIONS = "--generate-hashes --no-annotate --no-emit-index-url --fork-strategy fewest".split()
_ENTRY = re.compile(r"^[^\s#].*\n(?: .*\n)*", re.MULTILINE)
# What the version of a CPU build for Linux ends with.
CPU = "+cpu"
_CUDA = re.compile(r"(nvidia|cuda)-|triton=")


def entries(text: str) -> list[str]:
    """Return the requirements of a lock file, each with its hashes, as they stand there."""
    return _ENTRY.findall(text)


def pin_of(entry: str) -> str:
    """Return an entry without its hashes: name, version and marker."""
    return entry.split("\n")[0].removesuffix(" \\")


def split(resolved: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Return the entries that every machine takes, torch, and what only torch's CUDA build needs."""
    torch = [entry for entry in resolved if entry.startswith("torch==")]
    # Without torch, what is called so is of another: Triton's server is nvidia-pytriton.
    cuda = [entry for entry in resolved if torch and _CUDA.match(entry)]
    return [entry for entry in resolved if entry not in torch + cuda], torch, cuda


def torch_entries(version: str, builds: Iterable[File]) -> tuple[str, str]:
    """Return the entries of torch's CPU builds and that of its CUDA builds.

    A CPU build for Linux has a version of its own, `+cpu`, so that pip never takes the other in its place.

    Args:
        version: `torch==` and the version.
        builds: of the index, where those for Linux are for CUDA, and CPU builds that are elsewhere.
    """

    def entry(pin: str, system: str, kept: Iterable[File]) -> str:
        hashes = sorted(f"    --hash=sha256:{file.sha256}" for file in kept)
        return " \\\n".join([f"{pin} ; sys_platform == '{system}'", *hashes]) + "\n"

    linux = [file for file in builds if "linux" in file.name]
    mac = [file for file in builds if "macosx" in file.name]
    cpu = [file for file in linux if CPU in file.name]
    cuda = [file for file in linux if file not in cpu]
    cpu_entries = entry(version, "darwin", mac) + entry(version + CPU, "linux", cpu)
    return cpu_entries, entry(version, "linux", cuda)


def _compile(uv: str, options: list[str], name: str, pinned: str = "", requirements: str = "") -> str:
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / name
        if pinned:
            # uv keeps the versions and hashes of the file that it will write.
            output.write_text(pinned, "utf-8")
        command = [uv, *_COMPILE, *options, "-o", str(output)]
        subprocess.run(command, check=True, input=requirements, encoding="utf-8")
        return output.read_text("utf-8")


def _resolve(uv: str, group: str, pinned: Iterable[str]) -> list[str]:
    extras = [f"--extra={extra}" for extra in EXTRAS.get(group, [])]
    sources = [f"--group={group}", *extras, *(["pyproject.toml"] if extras else [])]
    return entries(_compile(uv, [*_OPTIONS, *sources], "lock.txt", pinned="".join(pinned)))


def _files(uv: str, pins: Iterable[str]) -> list[File]:
    """Return the index's files of some pins, for the systems of `[tool.uv]`."""
    options = ["--no-deps", "--format=pylock.toml", "-"]
    packages = tomllib.loads(_compile(uv, options, "pylock.toml", requirements="\n".join(pins)))["packages"]
    parts = [part for package in packages for part in (*package["wheels"], package.get("sdist")) if part]
    return [
        File(part["hashes"]["sha256"], part["size"], unquote(part["url"].rsplit("/", 1)[1])) for part in parts
    ]


def _alone(uv: str, requirements: list[str]) -> str:
    """Return the entries of some packages without what they need."""
    options = [*_OPTIONS, "--no-deps", "-"]
    return "".join(entries(_compile(uv, options, "lock.txt", requirements="\n".join(requirements))))


def _pinned(path: Path) -> list[str]:
    return entries(path.read_text("utf-8")) if path.is_file() else []


def _cpu_builds(lines: Iterable[str]) -> list[File]:
    """Return the CPU builds that pyproject.toml names: SHA-256, bytes and name, a line each."""
    return [File(digest, int(size), name) for digest, size, name in map(str.split, lines)]


def write(uv: str) -> list[Path]:
    """Write every lock file of the checkout that this is run in, and their files; return the locks' paths.

    Raises:
        subprocess.CalledProcessError: uv found no solution; it said why.
        ValueError: two lock files want different versions of torch.
    """
    pyproject = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))
    paths = [_FOLDER / f"{group}.txt" for group in sorted(pyproject["dependency-groups"])]
    cuda_pins = _pinned(_FOLDER / TORCH_CUDA)
    locks = {path: split(_resolve(uv, path.stem, [*_pinned(path), *cuda_pins])) for path in paths}
    versions = {pin_of(entry).split(" ")[0] for _, torch, _ in locks.values() for entry in torch}
    if len(versions) != 1:
        raise ValueError(f"torch: found {sorted(versions)}, expected one version in all lock files")
    (version,) = versions
    more_cpu = _cpu_builds(pyproject["tool"]["lockfiles"]["cpu-builds"].get(version, []))
    listed = [*_files(uv, [version]), *more_cpu]
    torch_cpu, torch_cuda = torch_entries(version, listed)
    cuda_packages = sorted({entry for _, _, cuda in locks.values() for entry in cuda})
    texts = {
        path: (NEEDS_TORCH if torch else "") + "".join(common) for path, (common, torch, _) in locks.items()
    }
    for name, wanted in pyproject["tool"]["lockfiles"].get("versions", {}).items():
        texts[_FOLDER / "versions" / f"{name}.txt"] = _alone(uv, wanted)
    for text in [*texts.values(), "".join(cuda_packages)]:
        listed += _files(uv, map(pin_of, entries(text)))
    texts |= {_FOLDER / TORCH_CPU: torch_cpu, _FOLDER / TORCH_CUDA: "".join([torch_cuda, *cuda_packages])}
    for path, text in texts.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(_HEADER + text, "utf-8")
    files.write(listed, _FOLDER / files.LISTING.name)
    return list(texts)


def main(arguments: list[str]) -> int:
    """Write the lock files of the checkout that it is run in."""
    if len(arguments) != 1:
        print("usage: python -m requirements.pin UV", file=sys.stderr)
        return 2
    try:
        for path in write(arguments[0]):
            print(f"  lock     {path}: {len(entries(path.read_text('utf-8')))} packages")
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
