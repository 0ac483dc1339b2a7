"""Read untrusted TOML: of limited size and depth. Standard library only."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from core.errors import ToolchainError
from core.untrusted import limits, regular_file
from core.untrusted.regular_file import RefusedError

# What begins a string or a comment, and what ends each: brackets and dots mean nothing inside. A backslash
# takes the next character with it, so that each is looked at once, whatever the text.
_BEGINS = re.compile(r'"""|\'\'\'|"|\'|#')
_ENDS = {
    # Two more of its quotes may stand before its end.
    '"""': re.compile(r'\\.|"{3,5}', re.DOTALL),
    "'''": re.compile(r"'{3,5}"),
    '"': re.compile(r'\\.|"|\n', re.DOTALL),
    "'": re.compile(r"'|\n"),
    "#": re.compile(r"(?=\n)"),
}
_DOTTED = re.compile(r"[\w-]+(?:[ \t]*\.[ \t]*[\w-]+)*")


def _bare(text: str) -> Iterator[str]:
    """Yield what is between strings and comments; of one that does not end, nothing follows."""
    place = 0
    while (begin := _BEGINS.search(text, place)) is not None:
        yield text[place : begin.start()]
        ends = _ENDS[begin[0]].finditer(text, begin.end())
        place = next((end.end() for end in ends if not end[0].startswith("\\")), len(text))
    yield text[place:]


def _check_depth(text: str) -> None:
    bare = "x".join(_bare(text))
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
