"""Watch what a build reads outside of its folder, so that make builds again when that changes.

make compares the times of `build/NAME/.inputs` and of the stages' stamps. `.inputs` holds the state of all
that a build reads outside its folder: the recipe's place, the sources on the make line, and the size and
time of each file of the sources, which `export` alone knows. Makefile calls `python -m core.build.inputs`
while it is read; that touches `.inputs` where the state is another than recorded, and writes nothing else.
Standard library only.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from core import dataset
from core.disk.files import write_text

INPUTS = ".inputs"
# Whether GoEmotions was at hand when a build was verified.
DATA = ".data"
# On the make line they replace the recipe's sources.
OVERRIDES = ("ENCODER", "HEAD")


def overrides() -> dict[str, str]:
    """Return the sources of the make line that replace the recipe's: variable to source."""
    return {name: os.environ[name] for name in OVERRIDES if os.environ.get(name)}


def replayed_plan(recipe: Path) -> Path | None:
    """Return the quantization plan that a recipe replays; None where a build must search for one.

    A recipe's own plan is of its own sources: with others on the make line one is searched.
    """
    path = recipe / "quantization.json"
    return path if path.is_file() and not overrides() else None


def _state(recipe: Path, sources: dict[str, str], files: Iterable[str]) -> dict[str, Any]:
    states: dict[str, list[int] | None] = {}
    for file in sorted(files):
        try:
            status = Path(file).stat()
            states[file] = [status.st_size, status.st_mtime_ns]
        except OSError:
            states[file] = None
    return {"recipe": str(recipe.resolve()), "sources": sources, "files": states}


class Inputs:
    """The state of a build's inputs, taken before they are read."""

    def __init__(self, recipe: Path, files: Iterable[Path]) -> None:
        """Take the state of a recipe's folder and of the files of its sources."""
        self._state = _state(recipe, overrides(), (str(file.absolute()) for file in files))

    def record(self, build: Path) -> None:
        """Write it to a build's folder, before the stage that read them is stamped as done."""
        write_text(build / INPUTS, json.dumps(self._state, indent=1) + "\n")


def _data(build: Path) -> str:
    return f"{os.environ.get(dataset.GO_EMOTIONS_DIR)} {dataset.present('test', build / 'go_emotions')}\n"


def record_data(build: Path) -> None:
    """Write down whether GoEmotions is at hand, for `refresh` to see when that changes."""
    write_text(build / DATA, _data(build))


def describe(recipe: Path, sources: dict[str, str]) -> str:
    """Return a recipe's place and the sources that replace its own, for messages and to compare."""
    return " ".join([str(recipe.resolve()), *(f"{name}={source}" for name, source in sources.items())])


def described(build: Path) -> str | None:
    """Return what a build's folder was exported from, as `describe` has it; None where nothing says so."""
    try:
        recorded = json.loads((build / INPUTS).read_bytes())
        return describe(Path(recorded["recipe"]), recorded["sources"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def are_recorded(build: Path, recipe: Path, sources: dict[str, str]) -> bool:
    """Return whether a recipe and its sources are as they were when the build's folder was exported."""
    try:
        recorded = json.loads((build / INPUTS).read_bytes())
        return bool(_state(recipe, sources, recorded["files"]) == recorded)
    except (OSError, ValueError, TypeError, KeyError):
        return False


def refresh(build: Path, recipe: Path, sources: dict[str, str]) -> None:
    """Touch what is there of `.inputs` and `.data` where its content is no longer so."""
    inputs, data = build / INPUTS, build / DATA
    if inputs.is_file() and not are_recorded(build, recipe, sources):
        inputs.touch()
    if data.is_file() and data.read_text("utf-8") != _data(build):
        data.touch()


if __name__ == "__main__":
    _build, _recipe, *_sources = sys.argv[1:]
    refresh(Path(_build), Path(_recipe), {k: v for k, v in zip(OVERRIDES, _sources, strict=True) if v})
