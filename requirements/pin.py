"""Pin everything that is installed, by version and by hash: `python -m requirements.pin UV`.

A lock file holds what some extras and dependency groups of pyproject.toml need on Linux and macOS, with the
hash of every file of each version. A version that a lock file has stays while pyproject.toml allows it:
remove its lines to let it move. torch has two files of its own, for the builds of one version. Standard
library only.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

FOLDER = Path("requirements")
# The extras and the dependency groups of each lock file.
LOCKS = {
    "audit.txt": ([], ["audit"]),
    "build.txt": (["build", "score"], ["test"]),
    "engines.txt": ([], ["engines"]),
    "lock.txt": ([], ["lock"]),
    "optimum.txt": ([], ["optimum"]),
    "ray.txt": (["ray"], ["ray"]),
    "sign.txt": ([], ["sign"]),
    "triton.txt": ([], ["triton"]),
}
# The index's torch for Linux needs the CUDA packages; its CPU build, and that for macOS, do not.
TORCH_CPU, TORCH_CUDA = "torch-cpu.txt", "torch-cuda.txt"
NEEDS_TORCH = f"# Needs {TORCH_CPU} or, on Linux with the index's build, {TORCH_CUDA}.\n"
_HEADER = "# Written by `make lock`; --require-hashes installs from it.\n"
_COMPILE = "pip compile --universal --no-header --quiet --python-version 3.11".split()
_OPTIONS = "--generate-hashes --no-annotate --no-emit-index-url --fork-strategy fewest".split()
_ENTRY = re.compile(r"^[^\s#].*\n(?: .*\n)*", re.MULTILINE)
_CUDA = re.compile(r"(nvidia|cuda)-|triton=")


class Lock(NamedTuple):
    """Entries of a lock file: what every machine takes, torch, and what only torch's CUDA build needs."""

    common: list[str]
    torch: list[str]
    cuda: list[str]


def entries(text: str) -> list[str]:
    """Return the requirements of a lock file, each with its hashes, as they stand there."""
    return _ENTRY.findall(text)


def split(resolved: Iterable[str]) -> Lock:
    """Sort entries by who needs them."""
    lock = Lock([], [], [])
    for entry in resolved:
        kind = lock.torch if entry.startswith("torch==") else lock.cuda if _CUDA.match(entry) else lock.common
        kind.append(entry)
    return lock


def torch_entries(pin: str, wheels: Iterable[tuple[str, str]], more_cpu: Iterable[str]) -> tuple[str, str]:
    """Return the entry of torch's CPU builds and that of its CUDA builds.

    Args:
        pin: version and marker.
        wheels: file name or address and hash of the index's builds; those for Linux are for CUDA.
        more_cpu: hashes of CPU builds that are not on the index.
    """
    cpu, cuda = set(more_cpu), set[str]()
    for name, digest in wheels:
        (cuda if "linux" in name else cpu).add(digest)

    def entry(hashes: set[str]) -> str:
        return " \\\n".join([pin, *(f"    --hash=sha256:{digest}" for digest in sorted(hashes))]) + "\n"

    return entry(cpu), entry(cuda)


def _compile(uv: str, sources: list[str], output: Path) -> str:
    subprocess.run([uv, *_COMPILE, *sources, "-o", str(output)], check=True)
    return output.read_text("utf-8")


def _resolve(uv: str, extras: list[str], groups: list[str], pinned: list[str]) -> Lock:
    """Resolve extras and groups of pyproject.toml; versions and hashes of `pinned` stay where they fit."""
    sources = [f"--group={group}" for group in groups]
    if extras:
        sources += [*(f"--extra={extra}" for extra in extras), "pyproject.toml"]
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / "lock.txt"
        # uv takes its preferences from the file that it will write.
        output.write_text("".join(pinned), "utf-8")
        return split(entries(_compile(uv, [*_OPTIONS, *sources], output)))


def _wheels(uv: str, version: str) -> list[tuple[str, str]]:
    """Return address and hash of the index's builds of torch for the systems of `[tool.uv]`."""
    with tempfile.TemporaryDirectory() as scratch:
        source, output = Path(scratch) / "torch.in", Path(scratch) / "pylock.torch.toml"
        source.write_text(f"{version}\n", "utf-8")
        text = _compile(uv, ["--no-deps", "--format", "pylock.toml", str(source)], output)
    (package,) = tomllib.loads(text)["packages"]
    return [(wheel["url"], wheel["hashes"]["sha256"]) for wheel in package["wheels"]]


def _pinned(path: Path) -> list[str]:
    return entries(path.read_text("utf-8")) if path.is_file() else []


def write(uv: str) -> list[Path]:
    """Write every lock file of the checkout that this is run in; return their paths.

    Raises:
        subprocess.CalledProcessError: uv found no solution; it said why.
        ValueError: two lock files want different versions of torch.
    """
    tool = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["tool"]
    cuda_pins = _pinned(FOLDER / TORCH_CUDA)
    locks = {
        name: _resolve(uv, extras, groups, [*_pinned(FOLDER / name), *cuda_pins])
        for name, (extras, groups) in LOCKS.items()
    }
    pins = {entry.split(" \\\n")[0] for lock in locks.values() for entry in lock.torch}
    if len(pins) != 1:
        raise ValueError(f"torch: found {sorted(pins)}, expected one version in all lock files")
    (pin,) = pins
    version = pin.split(" ")[0]
    cpu, cuda = torch_entries(pin, _wheels(uv, version), tool["lockfiles"]["cpu-builds"].get(version, []))
    cuda_packages = sorted({entry for lock in locks.values() for entry in lock.cuda})
    texts = {
        name: (NEEDS_TORCH if lock.torch else "") + "".join(lock.common) for name, lock in locks.items()
    } | {TORCH_CPU: cpu, TORCH_CUDA: "".join([cuda, *cuda_packages])}
    for name, text in texts.items():
        (FOLDER / name).write_text(_HEADER + text, "utf-8")
    return [FOLDER / name for name in texts]


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
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
