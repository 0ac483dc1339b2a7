"""What an attack is: hostile files, command lines, and what must happen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.arena import Arena

Line = tuple[str, ...]
# In a command line, the arena's folders as a path from the checkout, and its interpreter.
ATTACK, OUT, PYTHON = "../attack", "../out", ".venv/bin/python"


@dataclass(frozen=True)
class Goods:
    """Sound inputs that attacks are made of, in folders of their own: none is to be changed."""

    encoder: Path
    head: Path
    artifact: Path
    labels: list[str]


@dataclass(frozen=True)
class Attack:
    """Hostile files, and what they are handed to.

    Args:
        name: what is attacked, and how.
        prepare: writes the files into `arena.attack`; the sound ones lie there already.
        refused: a regular expression for the error, or None where the input does no harm and is taken.
        lines: the commands, each of which must refuse it.
        recipe: the name of the recipe whose build and artifact may be written.
    """

    name: str
    prepare: Callable[[Arena], None]
    refused: str | None
    lines: tuple[Line, ...]
    recipe: str = "tiny"


def fifo(path: Path) -> None:
    """Put a pipe that nobody writes to in a file's place."""
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def sparse(path: Path, size: int = 3 << 30) -> None:
    """Put a file of zeros that takes no room in a file's place."""
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(size)


def endless(path: Path) -> None:
    """Put a link to a device that never ends in a file's place."""
    link(path, Path("/dev/zero"))


def link(path: Path, target: Path) -> None:
    """Put a link in a file's place."""
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def lay_out(goods: Goods, arena: Arena) -> None:
    """Copy the sound inputs to where the attacker hands over his own."""
    for name, folder in (("encoder", goods.encoder), ("head", goods.head), ("artifact", goods.artifact)):
        shutil.copytree(folder, arena.attack / name)
