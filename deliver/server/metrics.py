"""Count and time what a server does, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST
# When each began to count is known from the process, and would double the figures.
prometheus_client.disable_created_metrics()
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The figures of one server."""

    def __init__(self) -> None:
        """Begin at 0."""
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "classifier_requests", "Requests answered.", ["path", "status"], registry=registry
        )
        self._seconds = Histogram(
            "classifier_request_seconds",
            "Seconds from a request's head to its answer's end.",
            ["path"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._texts = Counter("classifier_texts", "Texts answered.", registry=registry)
        self._truncated = Counter(
            "classifier_truncated_texts", "Texts longer than the encoder takes.", registry=registry
        )
        self._batch_texts = Histogram(
            "classifier_batch_texts", "Texts in a batch.", buckets=_TEXTS, registry=registry
        )
        self._batch_seconds = Histogram(
            "classifier_batch_seconds", "Seconds that a batch ran.", buckets=_SECONDS, registry=registry
        )
        self._waiting = Gauge("classifier_waiting_texts", "Texts that wait for a batch.", registry=registry)

    def watch(self, waiting: Callable[[], int]) -> None:
        """Ask how many texts wait, each time that somebody wants to know."""
        self._waiting.set_function(waiting)

    def request(self, path: str, status: int, seconds: float) -> None:
        """Note a request that was answered."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def texts(self, answered: int, truncated: int) -> None:
        """Note texts that were answered, and how many of them were cut."""
        self._texts.inc(answered)
        self._truncated.inc(truncated)

    def batch(self, texts: int, seconds: float) -> None:
        """Note a batch that ran."""
        self._batch_texts.observe(texts)
        self._batch_seconds.observe(seconds)

    def text(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        text: bytes = prometheus_client.generate_latest(self._registry)
        return text
