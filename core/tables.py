"""Read a TOML file into tables of known keys, each of its own type."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from core.errors import RecipeError
from core.untrusted import toml_file

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Label = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=1000)]


class Table(BaseModel):
    """A table of a TOML file, or the whole file: known keys alone, each of its own type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


_AnyTable = TypeVar("_AnyTable", bound=Table)


def _sentence(path: Path, error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"])) or "the recipe"
    if first["type"] == "extra_forbidden":
        return f"{path}: {place}: unknown key"
    if first["type"] == "missing":
        return f"{path}: {place}: missing"
    value = "" if isinstance(first["input"], dict) else f", found {repr(first['input'])[:200]}"
    return f"{path}: {place}: {re.sub('^Value error, ', '', first['msg'])}{value}"


def read_table(kind: type[_AnyTable], path: Path) -> _AnyTable:
    """Read a TOML file that a recipe's folder holds.

    Raises:
        RecipeError: not TOML, an unknown or missing key, or a value of the wrong type; the message names the
            file and the key.
    """
    try:
        return kind.model_validate(toml_file.read(path, RecipeError))
    except ValidationError as error:
        raise RecipeError(_sentence(path, error)) from error
