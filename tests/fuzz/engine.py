"""`python -m tests.fuzz.engine READER FOLDER COUNTS LIBFUZZER'S ARGUMENTS …`: libFuzzer on one reader.

Runs until its time is up (exit code 0) or an input fails, which libFuzzer keeps. Inputs read and refused are
counted in the file COUNTS, which outlives this process.
"""

from __future__ import annotations

import mmap
import resource
import struct
import sys
from pathlib import Path
from random import Random

import atheris

from tests.fuzz import mutators
from tests.fuzz.readers import READERS

# The bound, beside what Python and the libraries take.
_MEMORY_BYTES = 1 << 30
_ROOMS = ("core", "export", "score", "verify")
_STATUS = Path("/proc/self/status")


class FailedError(Exception):
    """An input that made a reader fail."""


def _status_bytes(field: str) -> int:
    (line,) = [line for line in _STATUS.read_text("utf-8").splitlines() if line.startswith(f"{field}:")]
    return int(line.split()[1]) << 10


def main() -> None:
    """Fuzz the reader of the command line."""
    reader, scratch, counts, *arguments = sys.argv[1:]
    folder, largest = Path(scratch), READERS[reader].largest
    with Path(counts).open("r+b") as file:
        counters = mmap.mmap(file.fileno(), 16)
    with atheris.instrument_imports(include=_ROOMS):
        from tests.fuzz import attempt

        attempt.process.start = attempt.in_a_fork
        # Everything that a reader imports is there, and instrumented, before the memory is limited.
        seeds = [path for path in Path(arguments[-1]).iterdir() if path.is_file()]
        for path in sorted(seeds):
            attempt.attempt(reader, path.read_bytes(), folder)
    room = _status_bytes("VmSize") + _MEMORY_BYTES
    # A fork that reads a graph sets its own.
    resource.setrlimit(resource.RLIMIT_AS, (room, resource.getrlimit(resource.RLIMIT_AS)[1]))
    arguments.append(f"-rss_limit_mb={(_status_bytes('VmRSS') + _MEMORY_BYTES) >> 20}")

    def run(content: bytes) -> None:
        said = attempt.attempt(reader, content, folder)
        if said.startswith("FAILED"):
            raise FailedError(said)
        place = 0 if said == "read" else 8
        struct.pack_into("<Q", counters, place, struct.unpack_from("<Q", counters, place)[0] + 1)

    def mutate(content: bytes, most: int, seed: int) -> bytes:
        def in_bytes(part: bytes, random: Random) -> bytes:
            if random.random() < 0.3:
                return mutators.mutate.mutated(part, random)
            return bytes(atheris.Mutate(part, len(part) + 64))

        made = mutators.mutated(reader, content, Random(seed), in_bytes)
        return made if len(made) <= most else content

    atheris.Setup([sys.argv[0], f"-max_len={largest}", *arguments], run, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
