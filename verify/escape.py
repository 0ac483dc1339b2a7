"""Put texts of others and figures on a page, in XML and in Markdown: nothing in them may act."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# What XML 1.0 forbids, and the controls that HTML forbids on top of it.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def visible(text: str) -> str:
    r"""Return `text` with control characters and lone surrogates as escapes such as ``\x00``."""
    return _UNPRINTABLE.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), text)


def shortened(text: str, most: int, characters: int | None = None) -> str:
    """Return at most `most` characters of `text`; a cut one says how long it was, `characters` if given."""
    length = len(text) if characters is None else characters
    if length <= most:
        return visible(text)
    return f"{visible(text[:most])}… ({length:,} characters)"


def cell(text: str) -> str:
    """Return `text` for a cell of a Markdown table."""
    return re.sub(r"\s+", " ", visible(text)).replace("|", "\\|")


def inline(text: str) -> str:
    """Return `text` for a line of Markdown: it is read as it is, makes no HTML, link, cell or heading."""
    escaped = re.sub(r"[\\`<&\[\]|]", r"\\\g<0>", re.sub(r"\s+", " ", visible(text)).strip())
    return re.sub(r"^[#>~*+=-]", r"\\\g<0>", escaped)


def code(text: str) -> str:
    """Return `text` as code in a line of Markdown, whatever backticks are in it."""
    shown = re.sub(r"\s+", " ", visible(text))
    longest = max(map(len, re.findall("`+", shown)), default=0)
    fence, pad = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def line(text: str) -> str:
    """Return `text` as one line for a terminal or a message."""
    shown = re.sub(r"\s+", " ", visible(text))
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in shown)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], words: int, last: int = 0) -> list[str]:
    """Lay out a Markdown table, aligned right but for the first `words` columns and the `last`."""
    rule = ["---"] * words + ["---:"] * (len(header) - words - last) + ["---"] * last
    return [f"| {' | '.join(row)} |" for row in (header, rule, *rows)]
