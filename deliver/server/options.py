"""The command line of a server; its help needs none of a server's libraries."""

from __future__ import annotations

import argparse
from pathlib import Path

HOST, PORT = "127.0.0.1", 8080


def add_options(line: argparse.ArgumentParser) -> None:
    """Add the command line of a server to a parser."""
    line.add_argument("artifact", type=Path, help="a folder that `make artifact` built")
    line.add_argument("--variant", help="of the artifact's graphs (default: int8, where it has that)")
    line.add_argument("--host", default=HOST, help="the address to listen on")
    line.add_argument("--port", type=int, default=PORT, help="0: any free one")
    line.add_argument(
        "--threads", type=int, default=0, help="batches at the same time, a core each (default: every CPU)"
    )
