"""Choose the build of torch before anything is downloaded. Standard library only.

On Linux the default index has builds for CUDA, which need 2 GB of packages more. CPU builds have a version of
their own, and are wherever the user's pip is told to look. macOS has one build.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.build import installed
from core.errors import InstallError
from requirements.pin import CPU, entries, pin_of

# On the make line.
TORCH, INDEX = "TORCH", "TORCH_INDEX"
_SYSTEMS = {"linux": "Linux", "darwin": "macOS"}


@dataclass(frozen=True)
class Wish:
    """What the user asked for.

    Attributes:
        build: `cpu`, `cuda`, or nothing: `cpu` where pip finds it.
        index: the address of an index that has the CPU build; nothing where pip's own places are searched.
    """

    build: str = ""
    index: str = ""

    @property
    def options(self) -> list[str]:
        """Options of pip's for finding torch."""
        return [f"--index-url={self.index}"] if self.index else []


def wish(environment: Mapping[str, str] = os.environ) -> Wish:
    """Return what the make line, or the environment, asks for.

    Raises:
        InstallError: there is no such build, or it is not the one that an index was named for.
    """
    build, index = (environment.get(name, "").strip() for name in (TORCH, INDEX))
    if build and build not in installed.BUILDS:
        raise InstallError(f"{TORCH}: found {build!r}, expected {' or '.join(installed.BUILDS)}")
    if index and build != "cpu":
        raise InstallError(f"{INDEX}: names an index of the CPU build, expected {TORCH}=cpu with it")
    if build == "cuda" and sys.platform == "darwin":
        raise InstallError(f"{TORCH}=cuda: there is no such build for macOS, expected cpu or none")
    return Wish(build, index)


def place() -> str:
    """Return this Python and system in words."""
    system = _SYSTEMS.get(sys.platform, sys.platform)
    major, minor = sys.version_info[:2]
    return f"{platform.python_implementation()} {major}.{minor} on {system} {platform.machine()}"


def _versions(python: Path, asked: Wish) -> set[str]:
    """Return the versions of torch that pip would take here; it reads its indexes, and downloads none.

    Raises:
        InstallError: pip finds none at all; it said why.
    """
    line = [str(python), "-m", "pip", "index", "versions", "torch", *asked.options]
    # Its answer is what a quiet pip leaves out.
    spoken = {**os.environ, "PIP_QUIET": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    told = subprocess.run(line, check=False, capture_output=True, text=True, env=spoken)
    listed = re.search(r"^Available versions: (.+)$", told.stdout, re.MULTILINE)
    if listed is None:
        said = [text for text in told.stderr.splitlines() if not text.startswith("WARNING: pip index")]
        where = INDEX if asked.index else "its indexes"
        raise InstallError(f"torch: pip finds no version in {where}: {' '.join(said) or 'nothing said'}")
    return set(listed[1].split(", "))


def cpu_version(lock_file: Path) -> str:
    """Return the version of the CPU build for Linux that goes with a lock file."""
    pins = map(pin_of, entries(lock_file.with_name(installed.TORCH_CPU).read_text("utf-8")))
    (version,) = (pin.split(" ")[0].split("==")[1] for pin in pins if CPU in pin)
    return version


def choose(python: Path, lock_file: Path, asked: Wish) -> str:
    """Return the build to install, `cpu` or `cuda`; nothing where the user has to choose.

    That is where pip finds no CPU build, and nobody asked for CUDA's.

    Args:
        python: the new environment's.
        lock_file: one that needs torch.
        asked: what the user asked for.

    Raises:
        InstallError: pip finds no torch at all, or none in the index that was named.
    """
    if asked.build == "cuda":
        return "cuda"
    if sys.platform == "darwin":
        return "cpu"
    version = cpu_version(lock_file)
    if version in _versions(python, asked):
        return "cpu"
    if asked.index:
        raise InstallError(f"{INDEX}: has no torch {version} for {place()}")
    return ""
