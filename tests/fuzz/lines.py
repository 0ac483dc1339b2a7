"""`python -m tests.fuzz.lines READER FOLDER …`: which lines of a reader's modules its inputs reach.

Prints a line of JSON: the lines reached and all of them, those that are not by file, and the inputs that
together reach every line and branch of all, the smallest first. A process of its own, in which nothing of the
modules is imported before coverage is measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.readers import READERS, corpus_of
from tests.support.places import ROOT


class Reached(NamedTuple):
    """What the inputs of a reader reach of its modules."""

    lines: int
    total: int
    inputs: int
    missing: dict[str, list[int]]
    needed: list[str]

    def __str__(self) -> str:
        """Say it in the words of a report."""
        share = 100 * self.lines / max(self.total, 1)
        return f"{self.inputs} in the corpus reach {self.lines} of {self.total} lines ({share:.1f} %)"


def _measure(reader: str, folders: list[Path]) -> Reached:
    import coverage

    files = [str(path) for path in READERS[reader].files]
    measured = coverage.Coverage(data_file=None, branch=True, include=files, config_file=False)
    measured.start()
    from tests.fuzz import attempt

    attempt.process.start = attempt.in_a_fork
    inputs = sorted(
        (path for folder in folders for path in folder.iterdir()), key=lambda path: path.stat().st_size
    )
    with tempfile.TemporaryDirectory() as scratch:
        for path in inputs:
            measured.switch_context(str(path))
            attempt.attempt(reader, path.read_bytes(), Path(scratch) / "any")
    measured.stop()
    data = measured.get_data()
    arcs: set[tuple[str, tuple[int, int]]] = set()
    needed = []
    for path in inputs:
        data.set_query_context(str(path))
        own = {(file, arc) for file in files for arc in data.arcs(file) or ()}
        if own - arcs:
            needed.append(str(path))
            arcs |= own
    data.set_query_contexts(None)
    total = reached = 0
    missing = {}
    for file in files:
        _, statements, _, unreached, _ = measured.analysis2(file)
        total, reached = total + len(statements), reached + len(statements) - len(unreached)
        if unreached:
            missing[str(Path(file).relative_to(ROOT))] = unreached
    return Reached(reached, total, len(inputs), missing, needed)


def reached(reader: str, *more: Path) -> Reached:
    """Measure what the kept corpus of a reader, and more folders, reach."""
    folders = [corpus_of(reader), *more]
    command = [sys.executable, "-W", "ignore", "-m", "tests.fuzz.lines", reader, *map(str, folders)]
    ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return Reached(**json.loads(ended.stdout.splitlines()[-1]))


def main() -> None:
    """Measure the reader of the command line."""
    reader, *folders = sys.argv[1:]
    print(json.dumps(_measure(reader, [Path(folder) for folder in folders])._asdict()))


if __name__ == "__main__":
    main()
