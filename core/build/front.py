"""Tell make what it may not find out by itself, of its RECIPE, ENCODER, HEAD, BUILD, VENV and TORCH.

`python -m core.build.front` and these six print one line: the recipe's name, which is one of folders and of
no shell, then what is to be done again though no time says so, `inputs`, `plan`, `data` or `installed`; or,
after `error:`, what is wrong. No other name of a recipe's or a source's reaches make. Standard library only.
"""

from __future__ import annotations

import core.start  # isort: skip  # noqa: F401  what fails or is interrupted from here on ends in a line

import re
import sys
from pathlib import Path

from core.build import inputs, installed
from core.cli import make_streams_safe
from core.contract import NAME_PATTERN, RECIPE_FILE
from core.disk.ownership import check_replaceable
from core.errors import RecipeError, ToolchainError
from core.untrusted import limits, regular_file

_LOCK = Path("requirements/build.txt")
# In each artifact's folder: what is there without one is not replaced.
_ARTIFACT_STAMP = "manifest.json"


def name_of(recipe: Path) -> str:
    """Return the name of a recipe's folder.

    Raises:
        RecipeError: it holds no `recipe.toml` that could be one, or its name is not one of a recipe's.
    """
    path = recipe / RECIPE_FILE
    if not path.is_file():
        known = ", ".join(sorted(str(found.parent) for found in Path("recipes").glob("*/recipe.toml")))
        raise RecipeError(f"{path}: no such recipe; RECIPE is a folder with a {RECIPE_FILE}, as {known}")
    regular_file.check_size(path, limits.RECIPE_BYTES, RecipeError)
    name = recipe.resolve().name
    if not re.fullmatch(NAME_PATTERN, name):
        expected = "expected small letters, digits, '.', '_' and '-'"
        raise RecipeError(f"{recipe}: the folder's own name, found {name!r}, {expected}")
    return name


def answer(recipe: str, encoder: str, head: str, build: str, venv: str, torch: str) -> str:
    """Return the line for make; `build` and `torch` are empty where the make line says nothing of them.

    Raises:
        RecipeError: as `name_of`.
        ArtifactError: the artifact's folder holds other files, or is a link; the release would say so last.
    """
    name = name_of(Path(recipe))
    check_replaceable(Path("dist", name), _ARTIFACT_STAMP)
    folder = Path(build) if build else Path("build", name)
    given = dict(zip(inputs.OVERRIDES, (encoder, head), strict=True))
    sources = {variable: source for variable, source in given.items() if source}
    # Without a stage that is done, make sees by itself what there is to do.
    done = (folder / ".exported").is_file()
    words = inputs.due(folder, Path(recipe), sources) if done else []
    if not installed.is_current(Path(venv), _LOCK, torch):
        words.append(installed.STAMP)
    return " ".join([name, *(word.removeprefix(".") for word in words)])


if __name__ == "__main__":
    make_streams_safe()
    try:
        print(answer(*sys.argv[1:]))
    except ToolchainError as _error:
        print(f"error: {_error}")
