"""The README is true: its program runs as it stands, its targets exist."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.conftest import ROOT

README = (ROOT / "README.md").read_text("utf-8")


def test_the_program_runs_as_it_stands(artifact):
    program = README.split("```python\n")[1].split("```")[0]
    assert len(program.splitlines()) <= 10
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=artifact, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert "love" in found.stdout.splitlines()[0]


def test_every_target_it_names_exists():
    makefile = "\n".join(
        path.read_text("utf-8") for path in [ROOT / "Makefile", *(ROOT / "make").glob("*.mk")]
    )
    table = README.split("| target | does |")[1].split("\n\n")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {name for cell in cells for name in re.findall(r"`(?:make )?([a-z-]+)", cell)}
    assert len(named) >= 12
    for name in sorted(named):
        assert re.search(rf"^(?:[a-z-]+ )*{name}(?: [a-z-]+)*:", makefile, re.MULTILINE), name
