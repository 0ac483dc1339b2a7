"""A checkout whose lock files list small wheels that a `PackageIndex` serves, in place of the real ones."""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from requirements import files, pin
from requirements.files import File
from tests.support.commands import call, environment_of_make, in_terminal
from tests.support.package_index import PackageIndex, wheel
from tests.support.places import ROOT

COPIED = ("Makefile", "core", "graphs", "make", "recipes/minilm-l6-go-emotions", "requirements")
# Where the CPU builds for Linux are, in place of PyTorch's own index.
INDEX, CPU_INDEX = "simple", "cpu"
# Sentence-transformers' metadata asks for torch without its version, as the real one's does.
NEEDS = {"sentence-transformers": ["torch>=1.11"]}
# A build that is taken in vain is seen.
SIZES = {"torch": 1_000_000, "nvidia": 200_000}


def _content(file: File) -> bytes:
    project = canonicalize_name(file.name.split("-")[0])
    return wheel(file.name, SIZES.get(project.split("-")[0], 0), NEEDS.get(project, ()))


@dataclass(frozen=True)
class FreshCheckout:
    """The folder of a checkout, and the index that has what it installs."""

    folder: Path
    index: PackageIndex

    def make(self, *arguments: object, terminal: bool = False, **variables: object):
        """Run make with this index alone; stages do nothing (`PY=true`). `PIP_…` go to the environment."""
        environment = {k: v for k, v in environment_of_make().items() if not k.startswith("PIP_")}
        environment |= {
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_INDEX_URL": self.index.url(INDEX),
            # Nothing that was thrown away comes back from a cache.
            "PIP_NO_CACHE_DIR": "1",
        }
        environment |= {name: str(value) for name, value in variables.items() if name.startswith("PIP_")}
        typed = {"PY": "true", **{k: v for k, v in variables.items() if not k.startswith("PIP_")}}
        line = ["make", *arguments, *(f"{name}={value}" for name, value in typed.items())]
        return (in_terminal if terminal else call)(*line, cwd=self.folder, env=environment)

    def installed(self) -> dict[str, str]:
        """The packages of `.venv` besides pip, name to version."""
        found = (path.stem.split("-") for path in self.folder.glob(".venv/lib/*/site-packages/*.dist-info"))
        names = {canonicalize_name(name): version for name, version in found}
        return {name: version for name, version in names.items() if name != "pip"}

    def in_vain(self) -> int:
        """Bytes of the wheels that were taken from the index and are not what is installed, or came twice."""
        installed, seen, wasted = self.installed(), set[str](), 0
        for name, size in self.index.taken:
            project, version = name.split("-")[:2]
            wasted += size if name in seen or installed.get(canonicalize_name(project)) != version else 0
            seen.add(name)
        return wasted


def fresh_checkout(folder: Path, index: PackageIndex, packages: set[str] | None = None) -> FreshCheckout:
    """Copy what `make artifact` needs before a stage runs; its lock files list the index's small wheels.

    Args:
        folder: where to.
        index: gets an index of all but the CPU builds for Linux, and one of these.
        packages: those to keep besides torch and what its CUDA build needs; all where none are given.
    """
    for name in COPIED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target)
    locks = [folder / "requirements" / name for name in ("build.txt", pin.TORCH_CPU, pin.TORCH_CUDA)]
    texts = {path: path.read_text("utf-8") for path in locks}
    if packages is not None:
        kept = [entry for entry in pin.entries(texts[locks[0]]) if entry.split("==")[0] in packages]
        texts[locks[0]] = pin.NEEDS_TORCH + "".join(kept)
    hashes = set(re.findall("sha256:([0-9a-f]{64})", "".join(texts.values())))
    real = [file for file in files.read().values() if file.sha256 in hashes and file.name.endswith(".whl")]
    served = {file.sha256: (file.name, _content(file)) for file in real}
    small = {
        digest: File(hashlib.sha256(content).hexdigest(), len(content), name)
        for digest, (name, content) in served.items()
    }
    for path, text in texts.items():
        for digest, file in small.items():
            text = text.replace(digest, file.sha256)
        path.write_text(text, "utf-8")
    files.write(small.values(), folder / "requirements" / "files.csv")
    index.folders[INDEX] = {name: content for name, content in served.values() if pin.CPU not in name}
    index.folders[CPU_INDEX] = {name: content for name, content in served.values() if pin.CPU in name}
    return FreshCheckout(folder, index)
