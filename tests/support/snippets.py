"""The programs of the README, as they stand in it."""

from __future__ import annotations

import re

from tests.conftest import ROOT

MOST_LINES = 10


def snippet(heading: str, language: str, file: str = "README.md") -> str:
    """Return the first fenced block of `language` under a heading, at most ten lines of code.

    Raises:
        AssertionError: there is no such heading, no such block in its section, or it is longer.
    """
    text = (ROOT / file).read_text("utf-8")
    level = len(heading) - len(heading.lstrip("#"))
    start = re.search(rf"^{re.escape(heading)}\n", text, re.MULTILINE)
    assert start, f"{file}: no heading {heading!r}"
    # Comments of shell and Python look like headings: fenced blocks are skipped as a whole.
    rest = re.finditer(r"^```(\w*)\n(.*?)^```$|^(#+) ", text[start.end() :], re.MULTILINE | re.DOTALL)
    for found in rest:
        if found[3] and len(found[3]) <= level:
            break
        if found[1] == language:
            lines = found[2].splitlines()
            assert len(lines) <= MOST_LINES, f"{file}: {heading}: {len(lines)} lines, at most {MOST_LINES}"
            return found[2]
    raise AssertionError(f"{file}: no block of {language} under {heading!r}")
