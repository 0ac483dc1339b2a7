"""Builds killed, starved and shut out: `dist/NAME` is the old artifact whole or the new one whole.

Run by `make test-kill`: minutes, not seconds.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from core import recipe as recipes
from core.build import plan as plan_file
from core.build.stage import STAMPS
from tests.support.building import SLOPPY, make, places, stamp, tiny
from tests.support.commands import environment_of_make, run
from tests.support.killing import content, is_whole, killed_at
from tests.support.places import ROOT
from verify.build import Build
from verify.report import report
from verify.report.release import release

pytestmark = pytest.mark.kill

RANDOM_KILLS = int(os.environ.get("KILLS", "24"))
# What make prints when a stage is at work or just done, in the order of a build.
STAGES = (
    "  export   encoder",
    "  export   head",
    "  export   assets",
    "  export   reference",
    "  merge    fuse",
    "  merge    merge",
    "  pack     pack",
    "  pack     prune",
    "  simplify simplify",
    "  fp32     stamp",
    "  int8     quantize",
    "| variant |",
)


class Case:
    """A tiny recipe in a folder of its own; `turn` gives it other thresholds and so another artifact."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.dist = folder, folder / "dist"
        self.variables = {"RECIPE": folder / "tiny", **places(folder)}
        self.built: dict[str, dict[str, str]] = {}

    def turn(self, letter: str) -> None:
        low = {"A": "0.3", "B": "0.4"}[letter]
        text = f'{{"neutral": 0.32, "anger": 0.31, "joy": {low}}}'
        (self.folder / "head" / "thresholds.json").write_text(text)
        # Every stage depends on it.
        (self.folder / "tiny" / "recipe.toml").touch()

    def build(self) -> dict[str, str]:
        found = make("artifact", **self.variables)
        assert found.returncode == 0, found.stdout + found.stderr
        assert is_whole(self.dist)
        return content(self.dist)

    def start(self, **variables: object) -> subprocess.Popen[str]:
        line = [f"{name}={value}" for name, value in {**self.variables, **variables}.items()]
        return subprocess.Popen(
            ["make", "artifact", f"PY={sys.executable} -u", f"VENV={stamp()}", *line],
            cwd=ROOT,
            env=environment_of_make(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def check(self, *letters: str) -> None:
        assert is_whole(self.dist)
        assert content(self.dist) in [self.built[letter] for letter in letters]


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """Both artifacts built without a disturbance; KILL_CASE=FOLDER keeps them for the next run."""
    kept = os.environ.get("KILL_CASE")
    made = Case(Path(kept) if kept else tmp_path_factory.mktemp("kill"))
    known = made.folder / "built.json"
    if known.is_file():
        made.built = json.loads(known.read_text("utf-8"))
        return made
    tiny(made.folder, variants=SLOPPY)
    made.turn("A")
    made.build()
    # Found once, replayed from here on, as in a recipe.
    found = plan_file.read(made.folder / "build" / plan_file.PLAN_FILE)
    plan_file.write(made.folder / "tiny" / plan_file.PLAN_FILE, found)
    made.built["A"] = made.build()
    made.turn("B")
    made.built["B"] = made.build()
    assert made.built["A"] != made.built["B"]
    known.write_text(json.dumps(made.built), "utf-8")
    return made


def kill(process: subprocess.Popen[str]) -> bool:
    """SIGKILL make and everything it started; whether it was still at work."""
    at_work = process.poll() is None
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        at_work = False
    process.communicate()
    return at_work


def test_killed_at_every_stage(case):
    case.turn("A")
    for stage in STAGES:
        process = case.start()
        seen = []
        for line in process.stdout:
            seen.append(line)
            if line.startswith(stage):
                break
        assert kill(process), f"{stage!r} never came:\n{''.join(seen)}"
        case.check("A", "B")
    assert case.build() == case.built["A"]
    print(f"\nkilled at {len(STAGES)} stages of {len(STAGES)}: dist/ whole, the next build the same bytes")


def test_killed_at_random_moments(case):
    chosen = random.Random(int(os.environ.get("SEED", "0")))
    survived = 0
    for index in range(RANDOM_KILLS):
        if index % 8 == 0:
            # A build between that nobody disturbs: over whatever the kills left.
            letter, old = ("B", "A") if index % 16 == 0 else ("A", "B")
            case.turn(letter)
            start = time.monotonic()
        process = case.start()
        time.sleep(chosen.uniform(0.1, 9))
        kill(process)
        case.check(old, letter)
        survived += 1
        if index % 8 == 7 or index == RANDOM_KILLS - 1:
            assert case.build() == case.built[letter], time.monotonic() - start
    print(f"\n{survived} kills survived of {RANDOM_KILLS}, at random moments")
    assert survived == RANDOM_KILLS


def test_a_release_killed_before_each_of_its_file_operations(case, monkeypatch):
    case.turn("A")
    assert case.build() == case.built["A"]
    build = Build(recipes.load(case.folder / "tiny"), case.folder / "tiny", case.folder / "build")
    release(build, case.dist)
    assert content(case.dist) == case.built["A"]
    # The page takes a second to draw, and is a file like any other: once is enough.
    page = (case.dist / "report.html").read_text("utf-8")
    monkeypatch.setattr(report, "render", lambda *_: page)
    # A signature of before, which no release lists.
    (case.dist / "model.sig").write_text("the old one")
    old = content(case.dist)
    survived = 0
    for operation in range(1, 500):
        if not killed_at(operation, lambda: release(build, case.dist)):
            break
        found = content(case.dist)
        assert found in (old, case.built["A"])
        survived += 1
        (case.dist / "model.sig").write_text("the old one")
    release(build, case.dist)
    assert content(case.dist) == case.built["A"]
    assert not list(case.folder.glob(".dist.*.tmp"))
    print(f"\na release killed before each of its {survived} file operations: always whole")
    assert 20 < survived < 499


def test_two_builds_at_once(case):
    case.turn("B")
    first, second = case.start(), case.start()
    said = [process.communicate()[0] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], said
    assert "another build is at work there; waiting for it" in "".join(said)
    # Whichever waited found the stage done.
    done = Counter(line for text in said for line in text.splitlines() if line.startswith("  "))
    assert set(done.values()) == {1}, done
    assert len([line for line in done if line.startswith("  merge ")]) > 1
    case.check("B")


def test_two_builds_of_different_heads_at_once_release_their_own_or_nothing(case):
    case.turn("A")
    other = case.folder / "other"
    shutil.copytree(case.folder / "head", other, dirs_exist_ok=True)
    (other / "thresholds.json").write_text('{"neutral": 0.71, "anger": 0.72, "joy": 0.73}')
    joy = {"dist": 0.3, "dist-other": 0.73}
    builds = {
        "dist": case.start(),
        "dist-other": case.start(DIST=case.folder / "dist-other", HEAD=f"path:{other}"),
    }
    said = {name: process.communicate()[0] for name, process in builds.items()}
    released = [name for name, process in builds.items() if process.returncode == 0]
    assert released, said
    for name, process in builds.items():
        if process.returncode:
            assert said[name].count("error: ") == 1, said
            assert "builds of different sources need different folders" in said[name]
        else:
            assert is_whole(case.folder / name)
            thresholds = json.loads((case.folder / name / "thresholds.json").read_text())
            assert thresholds["joy"] == joy[name]
    case.check("A", "B")
    assert case.build() == case.built["A"]


@pytest.fixture
def disk(case):
    """A small file system of its own, with the build and the artifact on it; root only."""
    place = case.folder / "disk"
    place.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here (not root)")
    try:
        for name in ("build", "dist"):
            shutil.copytree(case.folder / name, place / name)
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def commands(case, place):
    """Each command that writes to build/ or dist/, as the Makefile runs it."""
    folder, build = str(case.folder / "tiny"), f"{place}/build"
    return {
        "export": ["export", "build", folder, build],
        "merge": ["graphs", "merge", folder, build],
        "graphs": ["graphs", "build", folder, build],
        "gate": ["verify", "gate", folder, build],
        "release": ["verify", "release", folder, build, f"{place}/dist"],
    }


def test_a_full_disk(case, disk):
    (disk / "build/search.txt").unlink(missing_ok=True)
    ballast = disk / "ballast"
    for free in (0, 60_000):
        statistics = os.statvfs(disk)
        room = statistics.f_bavail * statistics.f_frsize
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, room - free)
        before = content(disk / "dist")
        failed = 0
        for name, command in commands(case, disk).items():
            found = run(*command)
            if free == 0 or found.returncode:
                assert found.returncode == 2, (name, found.stdout, found.stderr)
                assert "cannot be written" in found.stderr, (name, found.stderr)
                assert "Traceback" not in found.stderr
                failed += 1
            assert content(disk / "dist") == before, name
            # What a stage that failed took away, so that the next one comes as far as to write.
            for removed in STAMPS:
                (disk / "build" / removed).touch()
        assert failed >= (5 if free == 0 else 1)
        assert not list(disk.rglob("*.tmp"))
        ballast.unlink()
    line = case.variables | {"BUILD": disk / "build", "DIST": disk / "dist"}
    after = make("artifact", **line)
    assert after.returncode == 0, after.stdout + after.stderr
    assert is_whole(disk / "dist")


def test_a_place_that_is_read_only(case, disk):
    before = content(disk / "dist")
    # Another than lies there: else nothing is to be written.
    case.turn("B" if before == case.built["A"] else "A")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    line = case.variables | {"BUILD": disk / "build", "DIST": disk / "dist"}
    found = make("artifact", **line)
    assert found.returncode != 0
    assert f"{disk}/build: cannot be written: Read-only file system" in found.stderr
    # With the build elsewhere, dist/ alone is read-only.
    case.build()
    released = run("verify", "release", case.folder / "tiny", case.folder / "build", disk / "dist")
    assert released.returncode == 2
    assert "cannot be written: Read-only file system" in released.stderr
    assert content(disk / "dist") == before
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    after = make("artifact", **line)
    assert after.returncode == 0, after.stdout + after.stderr


def test_an_environment_killed_while_pip_installs(tmp_path):
    folder = tmp_path / "env"
    line = [sys.executable, "-m", "requirements.install", folder, ROOT / "requirements" / "lock.txt"]
    chosen = random.Random(0)
    for _ in range(5):
        process = subprocess.Popen(line, cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE, text=True)
        time.sleep(chosen.uniform(0.2, 6))
        kill(process)
    if subprocess.run(line, cwd=ROOT, check=False).returncode:
        pytest.skip("no package index can be reached here")
    assert (folder / "installed").is_file()
    assert subprocess.run([folder / "bin" / "python", "-m", "pip", "check"], check=False).returncode == 0
    assert subprocess.run([folder / "bin" / "uv", "--version"], check=False).returncode == 0
