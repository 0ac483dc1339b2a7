"""Watch what a build reads outside of its folder, so that make builds again when that changes.

make compares the times of `build/NAME/.inputs` and of the stages' stamps. `.inputs` holds the state of all
that a build reads outside its folder: the recipe's place, the sources on the make line, and the size and
time of each file of the recipe and the sources, which `export` alone knows; `.plan` that of the plan which
`graphs` replays. Makefile calls `python -m core.build.inputs` while it is read; that touches them where the
state is another than recorded, and writes nothing else. So no path of a user's stands in a rule of make.
Standard library only.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from core.disk.files import write_text

INPUTS = ".inputs"
# The files of the data that a build was verified with, and the folder that the environment names for them.
DATA = ".data"
# The state of the recipe's own plan when graphs were made.
PLAN = ".plan"
_PLAN_FILE = "quantization.json"
_NO_PLAN = "null"
# On the make line they replace the recipe's sources.
OVERRIDES = ("ENCODER", "HEAD")


def overrides() -> dict[str, str]:
    """Return the sources of the make line that replace the recipe's: variable to source."""
    return {name: os.environ[name] for name in OVERRIDES if os.environ.get(name)}


def replayed_plan(recipe: Path, sources: dict[str, str] | None = None) -> Path | None:
    """Return the quantization plan that a recipe replays; None where a build must search for one.

    A recipe's own plan is of its own sources: with others, on the make line if none are given, one is
    searched.
    """
    path = recipe / _PLAN_FILE
    replaced = overrides() if sources is None else sources
    return path if path.is_file() and not replaced else None


def _plan(recipe: Path, sources: dict[str, str]) -> str:
    path = replayed_plan(recipe, sources)
    if path is None:
        return _NO_PLAN
    status = path.stat()
    return json.dumps([str(path.resolve()), status.st_size, status.st_mtime_ns])


def record_plan(build: Path, recipe: Path) -> None:
    """Write down the plan that graphs are made by, before it is read, for `refresh` to see changes."""
    write_text(build / PLAN, _plan(recipe, overrides()))


def _states(files: Iterable[str]) -> dict[str, list[int] | None]:
    states: dict[str, list[int] | None] = {}
    for file in sorted(files):
        try:
            status = Path(file).stat()
            states[file] = [status.st_size, status.st_mtime_ns]
        except OSError:
            states[file] = None
    return states


def _state(recipe: Path, sources: dict[str, str], files: Iterable[str]) -> dict[str, Any]:
    return {"recipe": str(recipe.resolve()), "sources": sources, "files": _states(files)}


class Inputs:
    """The state of a build's inputs, taken before they are read."""

    def __init__(self, recipe: Path, files: Iterable[Path]) -> None:
        """Take the state of a recipe's folder and of the files of its sources."""
        self._state = _state(recipe, overrides(), (str(file.absolute()) for file in files))

    def record(self, build: Path) -> None:
        """Write it to a build's folder, before the stage that read them is stamped as done."""
        write_text(build / INPUTS, json.dumps(self._state, indent=1) + "\n")


def _data(variable: str | None, files: Iterable[str]) -> dict[str, Any]:
    return {
        "variable": variable,
        "folder": os.environ.get(variable) if variable else None,
        "files": _states(files),
    }


def record_data(build: Path, files: Iterable[Path], variable: str | None = None) -> None:
    """Write down the state of a build's data, for `refresh` to see when that changes.

    Args:
        files: what is read, whether it is there or not.
        variable: the environment's, that names another folder for them.
    """
    state = _data(variable, (str(file.absolute()) for file in files))
    write_text(build / DATA, json.dumps(state, indent=1) + "\n")


def _data_is_recorded(path: Path) -> bool:
    try:
        recorded = json.loads(path.read_bytes())
        return bool(_data(recorded["variable"], recorded["files"]) == recorded)
    except (OSError, ValueError, TypeError, KeyError):
        return False


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
    """Touch what is there of `.inputs`, `.plan` and `.data` where its content is no longer so."""
    inputs, data, plan = build / INPUTS, build / DATA, build / PLAN
    if inputs.is_file() and not are_recorded(build, recipe, sources):
        inputs.touch()
    now = _plan(recipe, sources)
    if plan.is_file() and plan.read_text("utf-8") != now:
        plan.touch()
        # A search needs what only the export of a recipe without a plan writes.
        if now == _NO_PLAN and inputs.is_file():
            inputs.touch()
    if data.is_file() and not _data_is_recorded(data):
        data.touch()


if __name__ == "__main__":
    _build, _recipe, *_sources = sys.argv[1:]
    refresh(Path(_build), Path(_recipe), {k: v for k, v in zip(OVERRIDES, _sources, strict=True) if v})
