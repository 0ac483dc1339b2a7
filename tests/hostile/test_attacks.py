"""Hand what is hostile to make and to every command: refused in a line, and nothing else touched.

Each command runs as a user's does, in a checkout of its own, under a trace of every file that any of its
processes opens, makes, changes or removes. It may take 20 seconds of a processor under the trace, and 1 GB.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.hostile import traced
from tests.hostile.arena import CANARY, Arena
from tests.hostile.artifacts import ARTIFACTS
from tests.hostile.attack import Attack, Goods, lay_out
from tests.hostile.corpora import CORPORA
from tests.hostile.encoders import ENCODERS
from tests.hostile.heads import HEADS
from tests.hostile.recipes import RECIPES
from tests.hostile.traced import Outcome
from tests.support.building import LABELS, SLOPPY
from tests.support.factories import write_recipe
from tests.support.places import ROOT

pytestmark = [
    pytest.mark.hostile,
    pytest.mark.skipif(not traced.can_trace(), reason="strace is not there, or may not trace"),
]
ATTACKS = [*ENCODERS, *HEADS, *RECIPES, *ARTIFACTS, *CORPORA]
OUTCOMES = ROOT / "build/hostile.jsonl"
# What make adds to the error of a command.
_MAKES_OWN = re.compile(r"^(make(\[\d+\])?: |Makefile:\d+: |make/)")
_PROGRESS = re.compile(r"^\W*\d+/\S+ +[\d:-]+$")
_RAW = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]")


@pytest.fixture(scope="session")
def goods(tiny_build) -> Goods:
    folder = tiny_build.folder
    return Goods(folder / "encoder", folder / "head", tiny_build.dist, LABELS)


@pytest.fixture
def arena(tmp_path, goods) -> Arena:
    made = Arena.make(tmp_path, Path(sys.executable))
    lay_out(goods, made)
    write_recipe(made.attack / "tiny", LABELS, "path:../encoder", "path:../head", variants=SLOPPY)
    yield made
    shutil.rmtree(tmp_path, ignore_errors=True)


def _errors(stderr: str) -> list[str]:
    """Return the lines of an error output but for make's own, and what a progress bar leaves."""
    lines = [line.strip() for line in stderr.split("\n")]
    return [line for line in lines if line and not _MAKES_OWN.match(line) and not _PROGRESS.match(line)]


def _record(attack: Attack, line: tuple[str, ...], outcome: Outcome, strays: list[str]) -> None:
    """Keep what a command did, a line of JSON: `make test-hostile` ends with the largest figures."""
    measured = {"seconds": outcome.seconds, "cpu": outcome.cpu_seconds, "bytes": outcome.peak_bytes}
    kept = {"attack": attack.name, "line": " ".join(line), "refused": attack.refused, "strays": strays}
    ended = {"status": outcome.status, "stderr": outcome.stderr}
    OUTCOMES.parent.mkdir(parents=True, exist_ok=True)
    with OUTCOMES.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(json.dumps({**kept, **measured, **ended}) + "\n")


def _faults(attack: Attack, line: tuple[str, ...], arena: Arena) -> list[str]:
    """Run one command of an attack; return what is wrong with how it ended."""
    outcome = arena.run(*line)
    taken = f"{outcome.seconds:.1f} s, {outcome.cpu_seconds:.1f} s of a processor"
    figures = f"{taken}, {outcome.peak_bytes / 2**20:.0f} MB, status {outcome.status}"
    print(f"{' '.join(line)}\n  {figures}\n  {outcome.stderr.strip()}")
    faults = [f"touched: {stray.kind} {stray.path!r}" for stray in arena.strays(outcome, attack.recipe)]
    _record(attack, line, outcome, faults)
    if not arena.untouched():
        faults.append("somebody's own files are not as they were")
    if _RAW.search(outcome.said):
        faults.append(f"control characters: {outcome.said!r}")
    if "Traceback" in outcome.said:
        faults.append("a traceback")
    if attack.refused is None:
        return [*faults, *([f"status {outcome.status}: {outcome.stderr}"] if outcome.status else [])]
    errors = _errors(outcome.stderr)
    if outcome.status not in (1, 2):
        faults.append(f"status {outcome.status}, expected 1 or 2")
    if outcome.cpu_seconds > traced.SECONDS or outcome.peak_bytes > traced.BYTES:
        faults.append(figures)
    shown = errors or [text for text in outcome.stderr.split("\n") if text]
    if len(errors) > 1 or not shown:
        faults.append(f"{len(errors)} lines of error: {outcome.stderr!r}")
    elif not re.search(attack.refused, shown[0], re.DOTALL):
        faults.append(f"found {shown[0]!r}, expected {attack.refused}")
    return faults


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_is_refused_and_touches_nothing(arena, attack):
    attack.prepare(arena)
    faults = [f"{' '.join(line)}: {fault}" for line in attack.lines for fault in _faults(attack, line, arena)]
    assert not faults, "\n".join(faults)


def test_a_trace_sees_what_a_command_touches(arena):
    """The harness's own check: what it holds attacks to can fail."""
    outside = arena.outside
    program = (
        f"import os; open({str(outside / CANARY)!r}).close(); os.mkdir('x'); os.rename('x', 'y'); "
        "os.system('echo z > dist/other/z; rm dist/other/z; cat ../outside/.x.tmp > /dev/null')"
    )
    outcome = arena.run(".venv/bin/python", "-c", program)
    strays = {(stray.kind, stray.path) for stray in arena.strays(outcome, "tiny")}
    other = str(arena.checkout / "dist/other/z")
    assert strays == {
        ("read", str(outside / CANARY)),
        ("read", str(outside / ".x.tmp")),
        ("change", str(arena.checkout / "x")),
        ("change", str(arena.checkout / "y")),
        ("change", other),
    }
    slow = arena.run(".venv/bin/python", "-c", "x = bytearray(2 << 30); import time; time.sleep(1)")
    assert slow.peak_bytes > traced.BYTES
    assert len(ATTACKS) == len({attack.name for attack in ATTACKS})
