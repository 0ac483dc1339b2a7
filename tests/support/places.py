"""The checkout: its root, its rooms' files, its embedded default recipe."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DEFAULT = ROOT / "recipes" / "minilm-l6-go-emotions"
# Every package beside the tests, found: a new room is held as well.
PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def relative(path: Path) -> str:
    """Return a path as it stands in the checkout."""
    return path.relative_to(ROOT).as_posix()
