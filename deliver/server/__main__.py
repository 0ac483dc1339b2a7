"""`python -m deliver.server ARTIFACT`: answer texts over HTTP until it is stopped."""

from __future__ import annotations

import core.start  # isort: skip  # noqa: F401  what fails or is interrupted from here on ends in a line

import argparse
import os
import signal
import socket
import sys
from collections.abc import Sequence

import uvicorn

from core.cli import exit_code, parser
from core.cpu import usable_cpus
from core.errors import ServerError, ToolchainError
from core.untrusted.limited.allowance import TIME_FACTOR
from deliver.server.app import application
from deliver.server.classifier import Classifier
from deliver.server.metrics import Metrics
from deliver.server.options import add_options

# How long requests under way have to end, once it is told to stop: Docker kills after 10.
_STOP_SECONDS = 8
_BACKLOG = 1_024
# Times what an untrusted graph may take: the manifest vouches for this one's bytes.
_PATIENCE = "20"
_LOOPBACK = ("127.", "::1")


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; who connects from now on is answered once the graph is open.

    Raises:
        ServerError: there is no such address or port, or it is taken.
    """
    place = f"{host}:{port}"
    if not 0 <= port <= 65_535:
        raise ServerError(f"port: found {port}, expected 0 to 65535")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
        family, kind, protocol, _, address = found[0]
        # Of no stated protocol, asyncio would not switch Nagle's algorithm off: 40 ms an answer.
        listening = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ServerError(f"{place}: found no such address: {reason}") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        hint = "expected a free port, or 0 for any"
        raise ServerError(f"{place}: cannot be listened on: {error.strerror}; {hint}") from error
    return listening


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(arguments: argparse.Namespace) -> None:
    """Serve the artifact that the arguments name; on SIGTERM or an interrupt, answer who has asked, and end.

    Raises:
        ToolchainError: the artifact or an option cannot be used, or the graph's process is gone.
    """
    if arguments.threads < 0:
        raise ServerError(f"--threads {arguments.threads}: expected 1 or more, or 0 for every CPU")
    # A batch takes milliseconds; one that takes long is on a machine that was paused, or has much else to do.
    os.environ.setdefault(TIME_FACTOR, _PATIENCE)
    # First: it takes no time, and fails most.
    with listen(arguments.host, arguments.port) as listening:
        metrics = Metrics()
        threads = arguments.threads or usable_cpus()
        classifier = Classifier(arguments.artifact, arguments.variant, threads, metrics)
        try:
            _run(classifier, metrics, listening)
        finally:
            classifier.close()


def _run(classifier: Classifier, metrics: Metrics, listening: socket.socket) -> None:
    failures: list[ToolchainError] = []

    def stop(*_: object) -> None:
        server.should_exit = True

    def fail(error: ToolchainError) -> None:
        failures.append(error)
        stop()

    config = uvicorn.Config(
        application(classifier, metrics, fail),
        # uvloop brings 14 MB and takes a few hundredths off a request; httptools, 2 MB and a tenth.
        loop="asyncio",
        http="httptools",
        lifespan="off",
        ws="none",
        log_config=None,
        # What a stranger sends is no news.
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        # Longer than the 60 s for which proxies keep theirs: who closes first loses no request of the other.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    server = uvicorn.Server(config)
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn has its own while it runs, and hands on what it got as it ends: by default, a death.
        signal.signal(number, stop)
    url = _url(listening)
    print(
        f"  serve    {url}  {classifier.name}, {classifier.variant}, {classifier.callers} threads; "
        "POST /classify, GET /health, /metrics"
    )
    if not listening.getsockname()[0].startswith(_LOOPBACK):
        print("  serve    other machines can reach it, and it asks nobody who they are")
    sys.stdout.flush()
    server.run(sockets=[listening])
    if failures:
        raise failures[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve; return 0 where it was stopped, else say in one line why it ended."""
    line = parser("python -m deliver.server", "Answer texts over HTTP until it is stopped.")
    add_options(line)
    return exit_code(serve, line.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
