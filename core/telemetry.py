"""Keep onnxruntime to itself: import this before it. Standard library only.

Its telemetry writes a database to the user's cache folder, and looks up a host on the network: both were seen
in a trace. It looks at this variable once, while it is imported; who wants it sets it to 0.
"""

from __future__ import annotations

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
