"""Reading a stranger's JSON: strict, of limited size and depth. Standard library only."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from core.errors import ToolchainError
from core.untrusted import limits, regular_file


class _RefusedError(ValueError):
    pass


def _constant(text: str) -> None:
    raise _RefusedError(f"{text} is not a number of JSON")


def _integer(text: str) -> int:
    if len(text) > limits.INTEGER_DIGITS:
        raise _RefusedError(f"a number of {len(text)} digits, expected at most {limits.INTEGER_DIGITS}")
    return int(text)


def _float(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise _RefusedError(f"{text[:40]} is beyond what a number can be")
    return found


def _pairs(word: str, found: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(found)
    if len(made) != len(found):
        seen: set[str] = set()
        twice = next(key for key, _ in found if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise _RefusedError(f"{word} {twice!r} is there twice")
    return made


def _check_depth(value: Any) -> None:
    pending = [(value, 1)]
    while pending:
        current, depth = pending.pop()
        if not isinstance(current, dict | list):
            continue
        if depth > limits.DEPTH:
            raise _RefusedError(f"nested deeper than {limits.DEPTH}")
        inside = current.values() if isinstance(current, dict) else current
        pending += [(item, depth + 1) for item in inside if isinstance(item, dict | list)]


def _text(data: bytes) -> str:
    if data.startswith(b"\xef\xbb\xbf"):
        raise _RefusedError("begins with a byte order mark")
    return data.decode("utf-8")


def loads(data: bytes | str, place: object, error: type[ToolchainError], word: str = "key") -> Any:
    """Read JSON as RFC 8259 has it, in UTF-8.

    Args:
        place: what an error begins with.
        error: what is raised.
        word: what a key of it is called.

    Raises:
        error: not JSON; NaN or Infinity; a key twice; too large a number; nested too deeply.
    """
    try:
        text = data if isinstance(data, str) else _text(data)
        # Each takes some hundred bytes and a microsecond, for two characters.
        if text.count("{") + text.count("[") > limits.JSON_OBJECTS:
            raise _RefusedError(f"more than {limits.JSON_OBJECTS:,} objects and lists")
        found = json.loads(
            text,
            object_pairs_hook=lambda pairs: _pairs(word, pairs),
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_integer,
        )
        _check_depth(found)
    except _RefusedError as cause:
        raise error(f"{place}: {cause}") from cause
    except RecursionError as cause:
        raise error(f"{place}: nested deeper than {limits.DEPTH}") from cause
    except ValueError as cause:
        raise error(f"{place}: cannot be read as JSON: {cause}") from cause
    return found


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
    found = read(path, error, limit)
    if not isinstance(found, dict):
        raise error(f"{path}: found {type(found).__name__}, expected an object")
    return found
