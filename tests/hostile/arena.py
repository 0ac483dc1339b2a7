"""A checkout of its own, beside it what an attacker hands over and what no command may touch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.hostile import traced
from tests.hostile.traced import Access, Outcome
from tests.support.commands import environment_of_make
from tests.support.places import ROOT

# What any program of the system reads.
_SYSTEM = (
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/sbin",
    "/etc",
    "/proc",
    "/sys",
    "/dev",
    "/opt",
    "/var/lib",
    "/.dockerenv",
)
_WRITABLE = ("/dev/null", "/dev/tty", "/dev/urandom", "/proc/self", "/dev/shm")
CANARY = "somebodys-own.txt"


def _inside(path: str, *folders: str | Path) -> bool:
    return any(path == str(folder) or path.startswith(f"{folder}/") for folder in folders)


@dataclass(frozen=True)
class Arena:
    """The folders of one attack.

    `checkout` has this checkout's files and its environment; `attack` is what the attacker hands over;
    `outside`, `dist/other` and `build/other` in the checkout are somebody's own.
    """

    folder: Path

    @property
    def checkout(self) -> Path:
        return self.folder / "checkout"

    @property
    def attack(self) -> Path:
        return self.folder / "attack"

    @property
    def outside(self) -> Path:
        return self.folder / "outside"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @staticmethod
    def make(folder: Path, python: Path) -> Arena:
        """Lay one out; `python` is the environment's interpreter."""
        arena = Arena(folder)
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.split(b"\0")
        for name in map(os.fsdecode, filter(None, listed)):
            # No test of ours runs in it.
            if (ROOT / name).is_file() and not name.startswith("tests/"):
                target = arena.checkout / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, target)
        environment = python.parent.parent
        (arena.checkout / ".venv").symlink_to(environment)
        for name in ("attack", "outside", "out", "home", "tmp"):
            (folder / name).mkdir()
        for place in (arena.outside, arena.checkout / "dist/other", arena.checkout / "build/other"):
            place.mkdir(parents=True, exist_ok=True)
            (place / CANARY).write_text("somebody's own\n", "utf-8")
            (place / ".x.tmp").write_text("somebody's own\n", "utf-8")
        return arena

    def variables(self) -> Mapping[str, str]:
        """The environment of the commands."""
        own = {"HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "tmp"), "NO_COLOR": "1"}
        # Not a shim of a version manager, which is a program of its own.
        own["PYTHON"] = os.path.realpath(sys.executable)
        dropped = ("GO_EMOTIONS_DIR", "PYTHONPATH", "ENCODER", "HEAD", "COVERAGE_PROCESS_START")
        return environment_of_make(*dropped) | own

    def run(self, *line: str) -> Outcome:
        """Run a command line in the checkout, traced."""
        trace = Path(tempfile.mkdtemp(prefix="trace-", dir=self.folder))
        try:
            return traced.run(line, self.checkout, self.variables(), trace)
        finally:
            shutil.rmtree(trace)

    def strays(self, outcome: Outcome, name: str) -> list[Access]:
        """Return what a run touched beside its target, its build of `name` and the checkout's folders."""
        own = (sys.prefix, sys.base_prefix, sys.executable)
        prefixes = {os.path.realpath(path) for path in own}
        shared = (*prefixes, self.folder / "home", self.folder / "tmp")
        changed = (
            *shared,
            *_WRITABLE,
            self.out,
            *(self.checkout / room / name for room in ("build", "dist")),
        )
        read = (*changed, *_SYSTEM, self.checkout, self.attack)
        return sorted(
            (access for access in outcome.accesses if not self._is_own(access, name, changed, read)),
            key=lambda access: (access.kind, access.path),
        )

    def _is_own(self, access: Access, name: str, changed: tuple, read: tuple) -> bool:
        path = Path(access.path)
        if access.kind == "connect" or CANARY in path.name:
            return False
        if _inside(access.path, self.checkout / "dist/other", self.checkout / "build/other"):
            return False
        if access.kind == "run":
            return _inside(access.path, *_SYSTEM, *read[: len(changed)], self.checkout / ".venv")
        if access.kind == "read":
            # What lies in a folder is looked at before it is left alone; its way up, to find it.
            return (
                path == self.outside or _inside(access.path, *read) or _inside(str(self.folder), access.path)
            )
        if _inside(access.path, *changed) or "__pycache__" in path.parts:
            return True
        rooms = [self.checkout / "build", self.checkout / "dist"]
        if path in rooms or path.parent in rooms:
            # The rooms themselves, and what is written beside a folder before it takes its place.
            return path in rooms or path.name.startswith((f".{name}.", f"{name}-", f".{name}-"))
        return path == self.checkout / ".venv.lock"

    def untouched(self) -> bool:
        """Return whether what is somebody's own is as it was."""
        places = (self.outside, self.checkout / "dist/other", self.checkout / "build/other")
        return all(
            sorted(path.name for path in place.iterdir()) == [".x.tmp", CANARY]
            and all(path.read_text("utf-8") == "somebody's own\n" for path in place.iterdir())
            for place in places
        )
