"""Read a text file in blocks of whole records, of bounded size, in this thread.

Arrow's own readers of text read ahead in a thread of theirs. A Python file object in there is what hangs or
aborts the interpreter that ends before that thread (arrow#33975); a block in memory has no such thread.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import pyarrow as pa

from core.errors import ScoreError
from score.input.files import is_gzipped

BLOCK_BYTES = 4 << 20
# An open quote would make one record of all that follows.
RECORD_BYTES = 64 << 20
# UTF-32's little-endian mark begins with UTF-16's.
_OTHER_MARKS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16", codecs.BOM_UTF32_BE: "UTF-32"}


class Block(NamedTuple):
    """Whole records, but for the `last` block's last, which may lack its end; `line` is its first, from 1."""

    line: int
    content: bytes
    last: bool


def _without_mark(path: Path, start: bytes) -> bytes:
    for mark, name in _OTHER_MARKS.items():
        if start.startswith(mark):
            raise ScoreError(f"{path}: found {name}, expected UTF-8; iconv -f {name} -t UTF-8 makes it so")
    return start.removeprefix(codecs.BOM_UTF8)


def line_ends(content: bytes) -> int:
    """Return how many lines end in some bytes."""
    return content.count(b"\n") + content.count(b"\r") - content.count(b"\r\n")


def whole_lines(content: bytes) -> int:
    """Return how many bytes of whole lines some content begins with, for `blocks`."""
    return content.rfind(b"\n") + 1


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file, decompressed where its name says so; a few megabytes are held whatever it grows to."""
    if not is_gzipped(path):
        with path.open("rb") as file:
            yield file
        return
    with pa.OSFile(os.fsencode(path), "rb") as source, pa.CompressedInputStream(source, "gzip") as stream:
        yield cast(BinaryIO, stream)


def blocks(path: Path, whole: Callable[[bytes], int]) -> Iterator[Block]:
    """Yield a file's blocks, its byte order mark left out; `whole` returns the bytes of whole records.

    Raises:
        ScoreError: the file is not UTF-8 by its mark, or a record is over `RECORD_BYTES`.
    """
    with _opened(path) as file:
        held, line = _without_mark(path, file.read(BLOCK_BYTES)), 1
        while held:
            # As much again as is held: a long record is looked through a few times, not once a block.
            more = file.read(max(BLOCK_BYTES, len(held)))
            end = whole(held) if more else len(held)
            if end:
                yield Block(line, held[:end], not more)
                line += line_ends(held[:end])
            elif len(held) > RECORD_BYTES:
                raise ScoreError(
                    f"{path}, line {line}: found a row of over {len(held):,} bytes, expected at most "
                    f"{RECORD_BYTES:,}; is a quote left open?"
                )
            held = held[end:] + more
