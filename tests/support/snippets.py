"""The code blocks of the documents: find one, list all, run one as it stands."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.support.commands import call
from tests.support.places import ROOT

MAX_LINES = 10
# Comments of shell and Python look like headings: fenced blocks are skipped as a whole.
_BLOCK_OR_HEADING = re.compile(r"^```(\w*)\n(.*?)^```$|^(#+ [^\n]*)$", re.MULTILINE | re.DOTALL)


class Snippet(NamedTuple):
    """A fenced block of code; `heading` is the last one before it, as it stands."""

    heading: str
    language: str
    code: str


def documents() -> list[Path]:
    """Return the documents that a user reads."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def snippets(document: Path) -> Iterator[Snippet]:
    """Yield the blocks of a document that have a language, in order."""
    heading = ""
    for match in _BLOCK_OR_HEADING.finditer(document.read_text("utf-8")):
        heading = match[3] or heading
        if match[1]:
            yield Snippet(heading, match[1], match[2])


def snippet(
    heading: str, language: str, file: str = "README.md", index: int = 0, max_lines: int = MAX_LINES
) -> str:
    """Return a block of `language` right under a heading.

    Raises:
        AssertionError: there is no such block, or it is longer.
    """
    blocks = [
        block.code
        for block in snippets(ROOT / file)
        if (block.heading, block.language) == (heading, language)
    ]
    assert index < len(blocks), f"{file}: found {len(blocks)} blocks of {language} under {heading!r}"
    lines = blocks[index].count("\n")
    assert lines <= max_lines, f"{file}: {heading}: {lines} lines, at most {max_lines}"
    return blocks[index]


def run_python(program: str, folder: Path) -> list[str]:
    """Run a program in a folder; return what it prints, line by line."""
    return _run([sys.executable, "-c", program], folder)


def run_shell(lines: str, folder: Path) -> list[str]:
    """Run lines of a shell in a folder, with this Python as `python` and this checkout's packages."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    return _run(["sh", "-ec", lines], folder, environment)


def _run(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> list[str]:
    result = call(*command, cwd=folder, env=environment)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()
