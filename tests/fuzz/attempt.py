"""`python -m tests.fuzz.attempt`: every kept input through its reader once, without a fuzzer.

Prints a line of JSON for each: its reader, its name, and what came of it.
"""

from __future__ import annotations

import json
import tempfile
import traceback
from pathlib import Path

from core.errors import ToolchainError
from core.untrusted.limited import process
from tests.fuzz.readers import READERS, corpus_of
from tests.support.limited import in_a_fork

_LONGEST = 8_100


def attempt(reader: str, content: bytes, folder: Path) -> str:
    """Let a reader read an input as files in a folder.

    Returns:
        `read`, `refused: …`, or `FAILED: …` for what must not come out: another exception than the
        toolchain's, or a message that is no line of printable characters.
    """
    try:
        READERS[reader].read(content, folder)
    except ToolchainError as error:
        sentence = str(error)
        if not sentence or not sentence.isprintable() or len(sentence) > _LONGEST:
            return f"FAILED: a message of {len(sentence)} characters: {sentence[:200]!r}"
        return f"refused: {type(error).__name__}: {sentence}"
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.lineno}"
        return f"FAILED: {type(error).__name__}: {str(error)[:600]!r} at {place}"
    return "read"


def main() -> None:
    """Run them all."""
    process.start = in_a_fork
    with tempfile.TemporaryDirectory() as scratch:
        for reader in READERS:
            for path in sorted(corpus_of(reader).iterdir()):
                said = attempt(reader, path.read_bytes(), Path(scratch) / reader)
                print(json.dumps([reader, path.name, said]), flush=True)


if __name__ == "__main__":
    main()
