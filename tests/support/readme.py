"""The README's programs, and running one as it stands."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import ROOT


def programs(heading):
    """Return the Python programs between a heading and the next."""
    text = (ROOT / "README.md").read_text("utf-8")
    section = text.split(f"\n{heading}\n")[1].split("\n## ")[0].split("\n### ")[0]
    return [block.split("```")[0] for block in section.split("```python\n")[1:]]


def run(program, folder):
    """Run a program of at most ten lines in a folder; return what it prints, line by line."""
    assert len(program.splitlines()) <= 10
    line = [sys.executable, "-c", program]
    found = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout.splitlines()
