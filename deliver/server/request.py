"""Read a request's body: JSON that holds a list of texts, within limits."""

from __future__ import annotations

from core.errors import RequestError
from core.untrusted import json_file

BODY_BYTES = 2 << 20
TEXTS = 256
# Of one text: forty times what the longest encoder reads.
CHARACTERS = 100_000
_KEY = "texts"
_FORM = f'{{"{_KEY}": ["…", "…"]}}'


def texts_of(body: bytes) -> list[str]:
    """Return the texts of a request.

    Raises:
        RequestError: it is not JSON of the form `{"texts": [...]}`, or has none, too many or too long texts.
    """
    content = json_file.loads(body, "body", RequestError)
    if not isinstance(content, dict):
        raise RequestError(f"body: found {_kind(content)}, expected {_FORM}")
    unknown = sorted(set(content) - {_KEY})
    if unknown:
        raise RequestError(f"body: found {unknown[0][:40]!r}, expected {_FORM}")
    if _KEY not in content:
        raise RequestError(f"body: {_KEY} is missing, expected {_FORM}")
    return checked(content[_KEY])


def checked(texts: object, place: str = _KEY) -> list[str]:
    """Return what is a list of some texts, within the limits; `place` is for the messages.

    Raises:
        RequestError: it is something else.
    """
    if not isinstance(texts, list):
        raise RequestError(f"{place}: found {_kind(texts)}, expected a list of strings")
    if not 1 <= len(texts) <= TEXTS:
        raise RequestError(f"{place}: found {len(texts):,}, expected 1 to {TEXTS}")
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise RequestError(f"{place}[{index}]: found {_kind(text)}, expected a string")
        if len(text) > CHARACTERS:
            found = f"found {len(text):,} characters, expected at most {CHARACTERS:,}"
            raise RequestError(f"{place}[{index}]: {found}")
    return texts


def _kind(value: object) -> str:
    """Name a value's type as JSON does."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
