"""`python -m tests.fuzz.bitflips ARTIFACT`: flip single bits of a copy, and count how many are detected."""

from __future__ import annotations

import core.start  # isort: skip  # noqa: F401  what fails or is interrupted from here on ends in a line

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from core.artifact import proof
from core.cli import exit_code, parser
from core.errors import ArtifactError, GateError


class Flip(NamedTuple):
    """One bit: its file, and its place there."""

    name: str
    byte: int
    bit: int


def draw(folder: Path, count: int, seed: int) -> list[Flip]:
    """Draw bits: every other one from a file drawn first, so that small files get their share."""
    sizes = {p.relative_to(folder).as_posix(): p.stat().st_size for p in folder.rglob("*") if p.is_file()}
    names = sorted(name for name, size in sizes.items() if size)
    generator = random.Random(seed)
    flips = []
    for index in range(count):
        weights = [1 if index % 2 else sizes[name] for name in names]
        (name,) = generator.choices(names, weights)
        flips.append(Flip(name, generator.randrange(sizes[name]), generator.randrange(8)))
    return flips


def _toggle(folder: Path, flip: Flip) -> None:
    with (folder / flip.name).open("r+b") as file:
        file.seek(flip.byte)
        value = file.read(1)[0]
        file.seek(flip.byte)
        file.write(bytes([value ^ 1 << flip.bit]))


def is_detected(folder: Path, flip: Flip) -> bool:
    """Flip a bit, check every byte, flip it back; whether the check failed."""
    _toggle(folder, flip)
    try:
        proof.check_files(folder)
    except ArtifactError:
        return True
    finally:
        _toggle(folder, flip)
    return False


def _run(arguments: argparse.Namespace) -> None:
    """Flip bits of a copy.

    Raises:
        GateError: a flip was not detected, or the artifact is not whole.
        ArtifactError: the copy cannot be written.
    """
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "artifact"
        with proof.verdict(arguments.artifact):
            proof.check_files(arguments.artifact)
        try:
            shutil.copytree(arguments.artifact, copy)
        except OSError as error:
            raise ArtifactError(f"{copy}: cannot be written: {error}") from error
        flips = draw(copy, arguments.count, arguments.seed)
        start = time.perf_counter()
        missed = [flip for flip in flips if not is_detected(copy, flip)]
        seconds = time.perf_counter() - start
    files = len({flip.name for flip in flips})
    print(f"{len(flips) - len(missed)} of {len(flips)} bit flips detected, in {files} files; {seconds:.0f} s")
    if missed:
        raise GateError(f"{arguments.artifact}: not detected: {'; '.join(map(str, missed))}")


def main() -> int:
    """Print how many of the flips were detected; 1 where one was not."""
    line = parser("python -m tests.fuzz.bitflips", __doc__.split("\n")[0])
    line.add_argument("artifact", type=Path)
    line.add_argument("-n", "--count", type=int, default=1000, help="how many bits")
    line.add_argument("--seed", type=int, default=0, help="of which bits")
    return exit_code(_run, line.parse_args())


if __name__ == "__main__":
    sys.exit(main())
