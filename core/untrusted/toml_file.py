"""Reading a stranger's TOML: of limited size and depth. Standard library only."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from core.errors import ToolchainError
from core.untrusted import limits, regular_file

# Strings and comments, whose brackets and dots mean nothing.
_SILENT = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"""|\'\'\'(?:[^\']|\'(?!\'\'))*\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*',
    re.DOTALL,
)
_DOTTED = re.compile(r"[\w-]+(?:[ \t]*\.[ \t]*[\w-]+)*")


def _too_deep(text: str) -> bool:
    bare = _SILENT.sub("x", text)
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", bare):
        depth += 1 if bracket in "[{" else -1
        if depth > limits.DEPTH:
            return True
    return any(key.count(".") >= limits.DEPTH for key in _DOTTED.findall(bare))


def read(path: Path, error: type[ToolchainError]) -> dict[str, Any]:
    """Read a TOML file of at most `limits.RECIPE_BYTES` bytes.

    Raises:
        error: missing, too large, not TOML, or nested too deeply.
    """
    data = regular_file.read(path, limits.RECIPE_BYTES, error)
    try:
        text = data.decode("utf-8")
        if _too_deep(text):
            raise error(f"{path}: nested deeper than {limits.DEPTH}")
        return tomllib.loads(text)
    except RecursionError as cause:
        raise error(f"{path}: nested deeper than {limits.DEPTH}") from cause
    except ValueError as cause:
        raise error(f"{path}: cannot be read as TOML: {cause}") from cause
