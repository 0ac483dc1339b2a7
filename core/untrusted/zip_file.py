"""Check an untrusted zip before its members are unpacked: few, plain, and no larger than a limit together."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from core.errors import ToolchainError
from core.untrusted import regular_file
from core.untrusted.regular_file import RefusedError

_ENCRYPTED = 1
_END_BYTES, _LOCATOR_BYTES = 22, 20
_MEMBER, _END, _LOCATOR = b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x07"


def check_end(content: bytes, most: int) -> None:
    """Check a zip's start and end record before the list of its members, of at most `most` bytes, is read.

    Raises:
        RefusedError: it begins with something else, which readers by its first bytes take it for; there is no
            end record, or it is a zip64's.
    """
    end = content[-_END_BYTES:]
    if not content.startswith((_MEMBER, _END)):
        raise RefusedError("not a plain zip")
    if not end.startswith(_END) or content[-_END_BYTES - _LOCATOR_BYTES :].startswith(_LOCATOR):
        raise RefusedError("not a plain zip")
    size = int.from_bytes(end[12:16], "little")
    if size > most:
        raise RefusedError(f"its list of members has {size:,} bytes")


def members(archive: zipfile.ZipFile, most: int) -> list[zipfile.ZipInfo]:
    """Return the members of a zip, which unpack to at most `most` bytes.

    Raises:
        RefusedError: they are more, or one is encrypted, compressed in a rare way, or there twice.
    """
    found = archive.infolist()
    names = [member.filename for member in found]
    if len(set(names)) != len(names):
        raise RefusedError("a duplicate member")
    if any(member.flag_bits & _ENCRYPTED for member in found):
        raise RefusedError("a member is encrypted")
    if not {member.compress_type for member in found} <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise RefusedError("a member is compressed in a rare way")
    total = sum(member.file_size for member in found)
    if total > most:
        raise RefusedError(f"unpacks to {total:,} bytes, expected at most {most:,}")
    return found


def read(path: Path, limit: int, directory: int, error: type[ToolchainError]) -> bytes:
    """Return a zip as it is, whose members may be unpacked.

    Args:
        limit: bytes of the file, and of all members together.
        directory: bytes of the list of members.

    Raises:
        error: missing, damaged, or larger packed or unpacked.
    """
    content = bytes(regular_file.read_any(path, limit, error))
    # zipfile raises several bare kinds.
    with regular_file.naming(path, error, "cannot be read as a zip", Exception):
        check_end(content, directory)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members(archive, limit)
    return content
