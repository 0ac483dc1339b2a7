"""Say what the texts are that every build is held to the original on."""

from __future__ import annotations

from typing import Any

from core.build.reference import GENERAL_TEXTS
from verify import readable


def called(described: dict[str, Any]) -> str:
    """Return what they are called, with their number."""
    return f"{readable.count(described['variants'][0]['parity']['texts'])} reference texts"


def kind(described: dict[str, Any]) -> str:
    """Return what they are, as plain text."""
    stated: str = described["reference"]
    general = "plain sentences, other scripts, symbols, long and repeated words, written to find what breaks"
    return general if stated == GENERAL_TEXTS else stated
