"""What a differential check finds."""

from __future__ import annotations


class DifferenceError(AssertionError):
    """Two readers of the same bytes read other things; the message says what."""
