"""Put texts of others and figures on a page, in XML and in Markdown: nothing in them may act."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# What XML 1.0 forbids, and the controls that HTML forbids on top of it.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def visible(text: str) -> str:
    r"""Return `text` with control characters and lone surrogates as escapes such as ``\x00``."""
    return _UNPRINTABLE.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), text)


def shortened(text: str, most: int) -> str:
    """Return at most `most` characters of `text`; a cut one says how long it was."""
    if len(text) <= most:
        return visible(text)
    return f"{visible(text[:most])}… ({len(text):,} characters)"


def cell(text: str) -> str:
    """Return `text` for a cell of a Markdown table."""
    return re.sub(r"\s+", " ", visible(text)).replace("|", "\\|")


def table(header: Sequence[str], rows: Iterable[Sequence[str]], words: int) -> list[str]:
    """Return the lines of a Markdown table; after the first `words` columns, all are aligned right."""
    rule = ["---"] * words + ["---:"] * (len(header) - words)
    return [f"| {' | '.join(row)} |" for row in (header, rule, *rows)]


def spread(values: dict[str, float], digits: int = 0) -> str:
    """Return `median (low–high)`."""
    return f"{values['median']:,.{digits}f} ({values['low']:,.{digits}f}–{values['high']:,.{digits}f})"
