"""`python -m tests.fuzz.worker READER SEED START COUNT SEEDS PLACE`: inputs in a process that may die.

A line on standard output before each input, its number, and one after it: `ok`, `refused` or `FAILED` and
what came out. The parent watches the clock, and what is left of this process.
"""

from __future__ import annotations

import os
import resource
import sys
import traceback
from pathlib import Path

from core.errors import ToolchainError
from core.untrusted import limits
from core.untrusted.limited import kernel, process
from tests.fuzz import readers
from tests.support.limited import in_a_fork

# The bound, beside what Python and the libraries take.
_MEMORY_BYTES = limits.GIB


def attempt(reader: str, folder: Path) -> str:
    """Let a reader read a folder; return `ok`, `refused: …`, or `FAILED: …` for what must not come out."""
    try:
        readers.READERS[reader](folder)
    except ToolchainError as error:
        sentence = str(error)
        if not sentence or "\n" in sentence or len(sentence) > 20_000:
            return f"FAILED: a message of {len(sentence)} characters: {sentence[:200]!r}"
        return f"refused: {type(error).__name__}: {sentence[:300]}"
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return (
            f"FAILED: {type(error).__name__}: {str(error)[:300]} at {Path(last.filename).name}:{last.lineno}"
        )
    return "ok"


def main() -> None:
    """Run the inputs of the command line."""
    reader, seed, start, count, seeds, where = sys.argv[1:]
    process.start = in_a_fork
    place = Path(where)
    # Everything that a reader imports is there before the memory is limited.
    original = readers.seeds_in(Path(seeds))[0]
    folder = readers.write(original.name, readers.files_of(original), place)
    first = attempt(reader, folder)
    if first.startswith("FAILED"):
        raise SystemExit(f"the unchanged seed {original.name}: {first}")
    room = kernel.virtual_bytes() + _MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
    os.dup2(2, 1)
    for number in range(int(start), int(start) + int(count)):
        folder = readers.write(*readers.case(Path(seeds), f"{reader}/{seed}/{number}"), place)
        print(number, file=out, flush=True)
        print(" ".join(attempt(reader, folder).split()), file=out, flush=True)


if __name__ == "__main__":
    main()
