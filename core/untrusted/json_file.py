"""Read untrusted JSON: strict, of limited size and depth. Standard library only."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from core.errors import ToolchainError
from core.untrusted import limits, regular_file
from core.untrusted.regular_file import RefusedError

# Half of a pair that stands for one character of JSON's escapes.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def _constant(text: str) -> None:
    raise RefusedError(f"{text} is not a number of JSON")


def _integer(text: str) -> int:
    if len(text) > limits.INTEGER_DIGITS:
        raise RefusedError(f"a number of {len(text)} digits, expected at most {limits.INTEGER_DIGITS}")
    return int(text)


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise RefusedError(f"{text[:40]} is beyond what a number can be")
    return number


def _check_depth(value: Any) -> None:
    pending = [(value, 1)]
    while pending:
        current, depth = pending.pop()
        if not isinstance(current, dict | list):
            continue
        if depth > limits.DEPTH:
            raise RefusedError(f"nested deeper than {limits.DEPTH}")
        inside = current.values() if isinstance(current, dict) else current
        pending += [(item, depth + 1) for item in inside if isinstance(item, dict | list)]


def _check_characters(content: Any) -> None:
    """Refuse half a pair of surrogates by itself: no file, terminal or tokenizer takes it."""
    try:
        json.dumps(content, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise RefusedError(f"{error.object[error.start]!r} is no character") from error


def loads(data: bytes | str, place: object, error: type[ToolchainError], word: str = "key") -> Any:
    """Read JSON as RFC 8259 has it, in UTF-8.

    Args:
        place: what an error begins with.
        error: what is raised.
        word: what a key of it is called.

    Raises:
        error: not JSON; NaN or Infinity; a duplicate key; too large a number; nested too deeply; half a
            pair of surrogates.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key, value in pairs:
            if key in content:
                raise RefusedError(f"duplicate {word} {key!r}")
            content[key] = value
        return content

    with regular_file.naming(place, error, "cannot be read as JSON", ValueError, RecursionError):
        if isinstance(data, bytes):
            if data.startswith(b"\xef\xbb\xbf"):
                raise RefusedError("begins with a byte order mark")
            data = data.decode("utf-8")
        # Each takes some hundred bytes and a microsecond, for two characters.
        if data.count("{") + data.count("[") > limits.JSON_OBJECTS:
            raise RefusedError(f"more than {limits.JSON_OBJECTS:,} objects and lists")
        content = json.loads(
            data, object_pairs_hook=unique, parse_constant=_constant, parse_float=_float, parse_int=_integer
        )
        _check_depth(content)
        if _SURROGATE.search(data):
            _check_characters(content)
    return content


def read(path: Path, error: type[ToolchainError], limit: int = limits.JSON_BYTES, word: str = "key") -> Any:
    """Read a JSON file of at most `limit` bytes.

    Raises:
        error: as `loads`, or the file is missing, no regular file, or larger.
    """
    return loads(regular_file.read(path, limit, error), path, error, word)


def read_object(path: Path, error: type[ToolchainError], limit: int = limits.JSON_BYTES) -> dict[str, Any]:
    """Read a JSON file that holds one object.

    Raises:
        error: as `read`, or it holds something else.
    """
    content = read(path, error, limit)
    if not isinstance(content, dict):
        raise error(f"{path}: found {type(content).__name__}, expected an object")
    return content
