"""End a command whose libraries fail to load, or that is interrupted while they do, as it ends later.

Imported first by whatever is started as `python -m`. Standard library only.
"""

from __future__ import annotations

import sys

from core.ends import hook

sys.excepthook = hook
