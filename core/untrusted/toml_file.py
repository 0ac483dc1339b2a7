"""Read untrusted TOML: of limited size and depth. Standard library only."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from core.errors import ToolchainError
from core.untrusted import limits, regular_file
from core.untrusted.regular_file import RefusedError

# Strings and comments, whose brackets and dots mean nothing.
_SILENT = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"""|\'\'\'(?:[^\']|\'(?!\'\'))*\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*',
    re.DOTALL,
)
_DOTTED = re.compile(r"[\w-]+(?:[ \t]*\.[ \t]*[\w-]+)*")


def _check_depth(text: str) -> None:
    bare = _SILENT.sub("x", text)
    depth, deepest = 0, max((key.count(".") + 1 for key in _DOTTED.findall(bare)), default=0)
    for bracket in re.findall(r"[\[\]{}]", bare):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    if deepest > limits.DEPTH:
        raise RefusedError(f"nested deeper than {limits.DEPTH}")


def read(path: Path, error: type[ToolchainError]) -> dict[str, Any]:
    """Read a TOML file of at most `limits.RECIPE_BYTES` bytes.

    Raises:
        error: missing, too large, not TOML, or nested too deeply.
    """
    data = regular_file.read(path, limits.RECIPE_BYTES, error)
    with regular_file.naming(path, error, "cannot be read as TOML", ValueError, RecursionError):
        # Windows writes a byte order mark.
        text = data.decode("utf-8-sig")
        _check_depth(text)
        return tomllib.loads(text)
