"""The manifest's own hash: its last field, over every byte of the file with that field's digits as zeros."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

FIELD = "manifest_sha256"
_ZEROS = "0" * 64
_END = re.compile(rb',\n  "' + FIELD.encode() + rb'": "([0-9a-f]{64})"\n}\n\Z')


def sealed(manifest: dict[str, Any]) -> str:
    """Return the text of a manifest with its own hash in it."""
    text = json.dumps({**manifest, FIELD: _ZEROS}, indent=2, ensure_ascii=False) + "\n"
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
    head, zeros, tail = text.rpartition(_ZEROS)
    assert zeros
    return head + digest + tail


def broken(content: bytes) -> str | None:
    """Return what is wrong with a manifest's own hash; None where it is right."""
    found = _END.search(content)
    if found is None:
        return f"does not end with {FIELD}"
    stated = found.group(1).decode()
    start, end = found.span(1)
    digest = hashlib.sha256(content[:start] + _ZEROS.encode() + content[end:]).hexdigest()
    return None if digest == stated else f"{FIELD}: found {stated}, expected {digest}"
