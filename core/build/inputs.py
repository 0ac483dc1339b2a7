"""Watch what a build reads outside of its folder, so that make builds again when that changes.

Each stage writes down, before it reads, the content of all that it reads there: `.inputs` is of `export`
(the recipe's place, the sources on the make line, every file of the recipe and the sources), `.plan` of
`graphs` (the plan that it replays), `.data` of `verify`; each holds the content of the stage's own code and
of what is installed, too. `due` compares. Contents, not times: a file may be put in place with any time.
Standard library only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from core.build.file_hashes import FileHashes, of_folders
from core.build.installed import TORCH_CPU, TORCH_CUDA
from core.disk.files import write_text
from core.errors import ArtifactError
from core.untrusted import json_file, limits, regular_file

# What each stage wrote down.
INPUTS, PLAN, DATA = RECORDS = ".inputs", ".plan", ".data"
_ROOMS = {INPUTS: "export", PLAN: "graphs", DATA: "verify"}
_PLAN_FILE, _GUARDED_FILE = "quantization.json", "quantization_guarded.json"
# On the make line they replace the recipe's sources.
OVERRIDES = ("ENCODER", "HEAD")
_ROOT = Path(__file__).resolve().parents[2]
# What is installed; a wheel comes without.
_PINS = ("build.txt", TORCH_CPU, TORCH_CUDA)


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


def guarded_plan(folder: Path) -> Path:
    """Return the plan of the variant `guarded` in the folder of a plan: of its own where there is one."""
    own = folder / _GUARDED_FILE
    return own if own.is_file() else folder / _PLAN_FILE


@cache
def _code(room: str) -> str:
    return of_folders([_ROOT / "core", _ROOT / room])


@cache
def _pins() -> dict[str, str]:
    files = [_ROOT / "requirements" / name for name in _PINS]
    return {
        path.name: regular_file.sha256(path, limits.GRAPH_BYTES, ArtifactError)[0]
        for path in files
        if path.is_file()
    }


def _made_by(record: str) -> dict[str, Any]:
    return {"code": _code(_ROOMS[record]), "pins": _pins()}


def _states(files: Iterable[str], hashes: FileHashes) -> dict[str, str | None]:
    return {file: hashes.of(Path(file)) for file in sorted(files)}


def _inputs(
    recipe: Path, sources: dict[str, str], files: Iterable[str], hashes: FileHashes
) -> dict[str, Any]:
    stated = {"recipe": str(recipe.resolve()), "sources": sources}
    return {**stated, **_made_by(INPUTS), "files": _states(files, hashes)}


def _plan(recipe: Path, sources: dict[str, str], hashes: FileHashes) -> dict[str, Any]:
    path = replayed_plan(recipe, sources)
    plans = [] if path is None else dict.fromkeys([path, guarded_plan(path.parent)])
    # A plan's roundings are beside it; whether there are any, the plan says.
    files = [file for plan in plans for file in (plan, plan.with_suffix(".npz")) if file.is_file()]
    found = [part for file in files for part in (str(file.resolve()), hashes.of(file.absolute()))] or None
    return {**_made_by(PLAN), "plan": found}


def _data(variable: str | None, files: Iterable[str], hashes: FileHashes) -> dict[str, Any]:
    folder = os.environ.get(variable) if variable else None
    stated = {"variable": variable, "folder": folder}
    return {**stated, **_made_by(DATA), "files": _states(files, hashes)}


def _write(build: Path, record: str, state: dict[str, Any], hashes: FileHashes) -> None:
    hashes.save()
    write_text(build / record, json.dumps(state, indent=1) + "\n")


class Inputs:
    """The state of a build's inputs, taken before they are read."""

    def __init__(self, recipe: Path, files: Iterable[Path], build: Path) -> None:
        """Take the state of a recipe's folder and of the files of its sources."""
        self._build, self._hashes = build, FileHashes(build)
        self._state = _inputs(recipe, overrides(), (str(file.absolute()) for file in files), self._hashes)

    def record(self) -> None:
        """Write it to the build's folder, before the stage that read them is stamped as done."""
        _write(self._build, INPUTS, self._state, self._hashes)


def record_plan(build: Path, recipe: Path) -> None:
    """Write down the plan that graphs are made by, before it is read."""
    hashes = FileHashes(build)
    _write(build, PLAN, _plan(recipe, overrides(), hashes), hashes)


def record_data(build: Path, files: Iterable[Path], variable: str | None = None) -> None:
    """Write down the state of a build's data.

    Args:
        files: what is read, whether it is there or not.
        variable: the environment's, that names another folder for them.
    """
    hashes = FileHashes(build)
    _write(build, DATA, _data(variable, (str(file.absolute()) for file in files), hashes), hashes)


def _recorded(build: Path, record: str) -> dict[str, Any]:
    """Return what a stage wrote down; nothing where it did not, or another toolchain did."""
    if not (build / record).is_file():
        return {}
    try:
        return json_file.read_object(build / record, ArtifactError)
    except ArtifactError:
        return {}


def describe(recipe: Path, sources: dict[str, str]) -> str:
    """Return a recipe's place and the sources that replace its own, for messages and to compare."""
    return " ".join([str(recipe.resolve()), *(f"{name}={source}" for name, source in sources.items())])


def described(build: Path) -> str | None:
    """Return what a build's folder was exported from, as `describe` has it; None where nothing says so."""
    recorded = _recorded(build, INPUTS)
    try:
        return describe(Path(recorded["recipe"]), recorded["sources"])
    except (TypeError, KeyError, AttributeError):
        return None


def due(build: Path, recipe: Path, sources: dict[str, str]) -> list[str]:
    """Return the records of a build's folder that are missing, or no more what their stage would read."""
    hashes = FileHashes(build)
    inputs, plan, data = (_recorded(build, record) for record in RECORDS)
    now = _plan(recipe, sources, hashes)
    found = []
    # A search needs what only the export of a recipe without a plan writes.
    begins_search = now["plan"] is None and plan.get("plan") is not None
    if begins_search or inputs != _inputs(recipe, sources, inputs.get("files") or (), hashes):
        found.append(INPUTS)
    if plan != now:
        found.append(PLAN)
    if data != _data(data.get("variable"), data.get("files") or (), hashes):
        found.append(DATA)
    hashes.save()
    return found
