"""`python -m tests.fuzz [READER …] --seconds 60`: libFuzzer on the readers, from the kept corpus on.

What reaches new code is kept in build/fuzz/corpus, what fails in build/fuzz/failures: an exception other
than the project's own, a message that is no printable line, over five seconds, over 1 GB beside the
libraries, a process that dies. Then the lines that all inputs together reach are counted. Exits with 1 where
one failed.
"""

from __future__ import annotations

import core.start  # isort: skip  # noqa: F401  what fails or is interrupted from here on ends in a line

import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from core.cli import parser
from tests.fuzz import lines
from tests.fuzz.readers import READERS, corpus_of
from tests.support.places import ROOT

_PLACE = ROOT / "build" / "fuzz"
_HANG_SECONDS = 5
# What the runtime leaks a session is given back.
_CHUNK_SECONDS = 120
_MOST_FAILURES = 5
_MEMORY = Path("/dev/shm")
_HASH_LENGTH = 16
_HASH = re.compile(f"[0-9a-f]{{{_HASH_LENGTH}}}")
_UNCAUGHT = re.compile(r"FailedError: FAILED: (.*)|ERROR: (libFuzzer: .*)|(ALARM: .*)")


@dataclass
class Tally:
    """What came of a reader's inputs."""

    read: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)


def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None)


def _engine(reader: str, folder: str, log: Path, arguments: list[str]) -> tuple[int, int, int]:
    """Run libFuzzer; return its exit code and how many inputs were read and refused."""
    counts = Path(folder) / "counts"
    counts.write_bytes(bytes(16))
    scratch = Path(folder) / reader
    command = [sys.executable, "-W", "ignore", "-m", "tests.fuzz.engine", reader, scratch, counts, *arguments]
    with log.open("wb") as output:
        ended = subprocess.run(
            [*map(str, command)],
            cwd=ROOT,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    return ended.returncode, *struct.unpack("<2Q", counts.read_bytes())


def _reason(log: Path) -> str:
    found = [next(filter(None, groups)) for groups in _UNCAUGHT.findall(log.read_text("utf-8", "replace"))]
    return found[0] if found else f"the process died; {log} has what it said"


def fuzz(reader: str, seconds: float, seed: int) -> Tally:
    """Fuzz one reader for so many seconds; every failure is kept and named, and the run goes on."""
    corpus, failures = _PLACE / "corpus" / reader, _PLACE / "failures"
    log = _PLACE / f"{reader}.log"
    for folder in (corpus, failures):
        folder.mkdir(parents=True, exist_ok=True)
    tally, deadline, begun = Tally(), time.monotonic() + seconds, 0
    while (left := deadline - time.monotonic()) >= 1 and len(tally.failures) < _MOST_FAILURES:
        before = set(failures.iterdir())
        arguments = [
            f"-max_total_time={min(int(left), _CHUNK_SECONDS)}",
            f"-timeout={_HANG_SECONDS}",
            f"-seed={seed + begun or 1}",
            "-mutate_depth=3",
            f"-artifact_prefix={failures}/{reader}-",
            str(corpus),
            str(corpus_of(reader)),
        ]
        with _scratch() as folder:
            code, read, refused = _engine(reader, folder, log, arguments)
        begun += 1
        tally.read, tally.refused = tally.read + read, tally.refused + refused
        # libFuzzer keeps slow inputs, too, which are none.
        kept = [path for path in set(failures.iterdir()) - before if "-slow-unit-" not in path.name]
        if code == 0:
            continue
        name = kept[0].relative_to(ROOT) if kept else "no input kept"
        tally.failures.append(f"{name}: {_reason(log)}")
        print(f"  {reader}: {tally.failures[-1]}", flush=True)
    return tally


def again(reader: str, path: Path) -> int:
    """Run a kept input once, in this process; return 1 where it fails still."""
    from tests.fuzz import attempt

    attempt.process.start = attempt.in_a_fork
    began = time.monotonic()
    with _scratch() as folder:
        said = attempt.attempt(reader, path.read_bytes(), Path(folder))
    seconds = time.monotonic() - began
    print(f"{path}: {said}; {seconds:.2f} s")
    return int(said.startswith("FAILED") or seconds > _HANG_SECONDS)


def keep(reader: str) -> None:
    """Put the inputs that together reach every line and branch into the project's corpus; smallest first."""
    if READERS[reader].kept:
        return
    found, kept = _PLACE / "corpus" / reader, corpus_of(reader)
    needed = {Path(path) for path in lines.reached(reader, found).needed}
    for path in kept.iterdir():
        # What people named stays.
        if _HASH.fullmatch(path.name) and path not in needed:
            path.unlink()
    for path in needed:
        if path.parent == found:
            shutil.copyfile(path, kept / path.name[:_HASH_LENGTH])


def main() -> int:
    """Fuzz the readers of the command line; 1 where one failed."""
    line = parser("python -m tests.fuzz", __doc__.split("\n")[0])
    line.add_argument("readers", nargs="*", metavar="READER", help=", ".join(READERS))
    line.add_argument("--seconds", type=float, default=60, help="of each reader")
    line.add_argument("--seed", type=int, default=1, help="of the first run")
    line.add_argument(
        "--input", type=Path, help="run this one again, through the reader named (default: fuzz)"
    )
    line.add_argument("--keep", action="store_true", help="add what the corpus needs to tests/fuzz/corpus")
    given = line.parse_args()
    unknown = [reader for reader in given.readers if reader not in READERS]
    if unknown:
        line.error(f"{unknown[0]}: no such reader; there are {', '.join(READERS)}")
    if given.input is not None:
        if len(given.readers) != 1:
            line.error("--input: name one reader")
        if not given.input.is_file():
            line.error(f"--input: {given.input}: no such file")
        return again(given.readers[0], given.input)
    failed = 0
    for reader in given.readers or READERS:
        tally = fuzz(reader, given.seconds, given.seed)
        if given.keep:
            keep(reader)
        failed += len(tally.failures)
        print(
            f"{reader}: {tally.read:,} inputs read, {tally.refused:,} refused; "
            f"{len(tally.failures)} failures; {lines.reached(reader, _PLACE / 'corpus' / reader)}",
            flush=True,
        )
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
