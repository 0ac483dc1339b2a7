"""The processors, and how a program runs on one of them."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime

from core.errors import ToolchainError
from tests.cpus import aarch64, compare, inside

# A job is a few minutes at most; the emulator is known to hang on threads.
LONGEST_SECONDS = 3600


class Processor(NamedTuple):
    """A processor by its name in qemu, none for this machine; the features that it must have, and must not.

    `saturates`: whether onnxruntime's kernels for it add pairs of products in 16 bits; None: not known.
    """

    name: str
    model: str | None = None
    has: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()
    saturates: bool | None = None
    machine: str = "x86_64"
    allowed: compare.Allowed = compare.FUSED


AVX512 = frozenset({"AVX512F", "AVX512VNNI"})
THIS = Processor("this machine")
# qemu emulates neither AVX512 nor VNNI: a processor that has VNNI is this machine, or none.
PROCESSORS = (
    Processor("Haswell", "Haswell", frozenset({"AVX2", "FMA3"}), AVX512, True),
    Processor("EPYC-Rome", "EPYC-Rome", frozenset({"AVX2", "FMA3"}), AVX512, True),
    Processor("Nehalem", "Nehalem", frozenset({"SSE42"}), AVX512 | {"AVX"}, False, allowed=compare.UNFUSED),
)
# By what 8-bit products use: NEON alone; dot products; matrix products, which come with SVE in qemu.
ARM = (
    Processor(
        "Cortex-A72",
        "cortex-a72",
        frozenset({"ASIMD"}),
        frozenset({"ASIMDDP"}),
        False,
        "aarch64",
        compare.ARM,
    ),
    Processor(
        "Neoverse-N1",
        "neoverse-n1",
        frozenset({"ASIMDDP"}),
        frozenset({"SVE"}),
        False,
        "aarch64",
        compare.ARM,
    ),
    Processor("Armv9", "max", frozenset({"ASIMDDP", "SVE"}), frozenset(), False, "aarch64", compare.ARM),
)
ALL = (*PROCESSORS, *ARM)
# Of ARM one: the others differ from it in integer products alone, or in little else.
USUAL = (*(one.name for one in PROCESSORS), "Neoverse-N1")


def emulator(machine: str = "x86_64") -> str:
    """Return the path of qemu for a machine's processors.

    Raises:
        LookupError: it cannot be had here; the message says why.
    """
    system = f"{platform.system()} {platform.machine()}"
    if system != "Linux x86_64" or sys.maxsize < 2**32:
        raise LookupError(
            f"found {system}, expected Linux on 64-bit x86: qemu emulates these processors there"
        )
    variable = "QEMU" if machine == "x86_64" else "QEMU_ARM"
    found = shutil.which(os.environ.get(variable, f"qemu-{machine}"))
    if found is None:
        raise LookupError(
            f"found no qemu-{machine}: install Debian's qemu-user, or set {variable} to its path"
        )
    if machine == "aarch64" and not (aarch64.FOLDER / "installed").is_file():
        raise LookupError(f"found no {aarch64.FOLDER}/installed: its Python could not be had here")
    return found


def version(emulator: str) -> str:
    """Return what qemu calls itself."""
    said = subprocess.run([emulator, "--version"], capture_output=True, text=True, check=True).stdout
    return said.split("\n")[0].split(" (")[0]


def _python(processor: Processor) -> tuple[list[str], list[str]]:
    """Return the command that is Python on a processor, and the folders of its libraries."""
    if processor.machine == "aarch64":
        options = aarch64.command(aarch64.FOLDER, str(processor.model))
        return [emulator("aarch64"), *options], [str(aarch64.site_packages(aarch64.FOLDER))]
    # The interpreter itself, without its virtual environment: PYTHONPATH stands for that.
    python = [str(Path(sys.executable).resolve())]
    if processor.model is not None:
        python = [emulator(), "-cpu", processor.model, *python]
    return python, list(
        dict.fromkeys(str(Path(module.__file__).parent.parent) for module in (np, onnxruntime))
    )


def run(processor: Processor, source: Path, target: Path, *graphs: Path) -> dict[str, np.ndarray]:
    """Run graphs on a processor as `inside.py` says; return what it wrote.

    Raises:
        ToolchainError: the program fails there, or the processor is not the one that was asked for.
    """
    python, libraries = _python(processor)
    line = [*python, "-B", str(Path(inside.__file__)), source, target, *graphs]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    environment = os.environ | threads | {"PYTHONPATH": os.pathsep.join(libraries)}
    target.unlink(missing_ok=True)
    try:
        ended = subprocess.run(
            line, env=environment, capture_output=True, text=True, errors="replace", timeout=LONGEST_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise ToolchainError(f"{processor.name}: {line[-1]}: took over {LONGEST_SECONDS} s") from error
    if ended.returncode or not target.is_file():
        said = [text for text in ended.stderr.splitlines() if "TCG doesn't support" not in text]
        last = said[-1] if said else "and nothing said why"
        raise ToolchainError(f"{processor.name}: {line[-1]}: exit status {ended.returncode}: {last}")
    with np.load(target) as file:
        found = dict(file)
    check_features(processor, set(found["features"].tolist()))
    return found


def check_features(processor: Processor, features: set[str]) -> None:
    """Hold a processor to the features that it is chosen for.

    Raises:
        ToolchainError: it lacks one, or has one too many.
    """
    missing, beyond = processor.has - features, processor.lacks & features
    if missing or beyond:
        found = ", ".join([f"no {name}" for name in sorted(missing)] + sorted(beyond))
        raise ToolchainError(
            f"{processor.name}: found {found}, expected a processor of that name; newer qemu?"
        )


def describe(features: set[str]) -> str:
    """Return this machine's name, and what of its integer products is known."""
    lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    names = [text.split(":", 1)[1].strip() for text in lines if text.startswith("model name")]
    found = [name for name in ("AVX512VNNI", "AVX512F", "AVX2", "AVX", "SSE42") if name in features]
    return f"{names[0] if names else 'unknown'}, {found[0] if found else 'no vectors'}"
