"""The checkout's root, and its embedded default recipe."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DEFAULT = ROOT / "recipes" / "minilm-l6-go-emotions"
