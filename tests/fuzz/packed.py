"""An input of several files as one string of bytes, as a fuzzer keeps it: a line of JSON, then the files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

Files = dict[str, bytes]


def pack(files: Files) -> bytes:
    """Return files as one input, which `unpack` reads back."""
    sizes = {name: len(content) for name, content in files.items()}
    return json.dumps(sizes).encode() + b"\n" + b"".join(files.values())


def unpack(content: bytes) -> Files:
    """Return the files of an input.

    Raises:
        ValueError: it is none of `pack`'s.
    """
    line, _, rest = content.partition(b"\n")
    files: Files = {}
    if not line:
        return files
    for name, size in json.loads(line).items():
        files[name], rest = rest[:size], rest[size:]
    return files


def files_of(folder: Path) -> Files:
    """Return the files of a folder, in order."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def write(files: Files, folder: Path) -> None:
    """Write the files of an input into a folder of its own, anew: a reader may still hold those before."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content)
