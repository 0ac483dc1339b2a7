"""The HTTP side of a server: what is asked where, and what an error looks like."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import RequestError, ToolchainError
from deliver.server import metrics as figures
from deliver.server import request as asked
from deliver.server import v2
from deliver.server.batcher import BusyError
from deliver.server.classifier import Answer, Classifier
from deliver.server.metrics import Metrics

# How long a body may take to come.
BODY_SECONDS = 30
_RETRY = {"Retry-After": "1"}


class _Counted:
    """Notes every request, with its status and how long it took."""

    def __init__(self, app: ASGIApp, metrics: Metrics, paths: set[str]) -> None:
        self._app, self._metrics, self._paths = app, metrics, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            # Whoever asks for a thousand paths makes no thousand figures.
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._metrics.request(path, status, time.perf_counter() - begun)


async def _body(request: Request) -> bytes:
    """Return a request's body; of one that is too large nothing is kept."""
    body, size = bytearray(), 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                size += len(chunk)
                if size <= asked.BODY_BYTES:
                    body += chunk
    except TimeoutError as error:
        raise HTTPException(408, f"body: not here after {BODY_SECONDS} s") from error
    if size > asked.BODY_BYTES:
        # To its end: who still sends hears no answer.
        raise HTTPException(413, f"body: found {size:,} bytes, expected at most {asked.BODY_BYTES:,}")
    return bytes(body)


def _error(status: int, message: str, headers: Any = None) -> JSONResponse:
    return JSONResponse({"error": message}, status, headers)


class _Endpoints:
    def __init__(
        self, classifier: Classifier, metrics: Metrics, fail: Callable[[ToolchainError], object]
    ) -> None:
        self._classifier, self._metrics, self._fail = classifier, metrics, fail

    def _shown(self, answer: Answer) -> dict[str, Any]:
        labels = self._classifier.labels
        probabilities, predictions = (values.tolist() for values in answer.row)
        return {
            "labels": [label for label, holds in zip(labels, predictions, strict=True) if holds],
            "probabilities": dict(zip(labels, probabilities, strict=True)),
            "truncated": answer.truncated,
        }

    async def _answered(self, texts: list[str]) -> list[Answer]:
        try:
            return await self._classifier.answer(texts)
        except asyncio.CancelledError as error:
            # By uvicorn, once it has waited long enough for the end.
            raise HTTPException(503, "the server stops, and has no time left for this") from error

    async def classify(self, request: Request) -> Response:
        answers = await self._answered(asked.texts_of(await _body(request)))
        return JSONResponse({"answers": [self._shown(answer) for answer in answers]})

    async def ready(self, request: Request) -> Response:
        """Answer 200 where the graph runs, also while many texts wait."""
        broken = await self._classifier.is_broken()
        if broken is not None:
            return await self.failed(request, broken)
        return JSONResponse({"name": self._classifier.name, "ready": True})

    async def metrics(self, request: Request) -> Response:
        return Response(self._metrics.text(), media_type=figures.CONTENT_TYPE)

    async def model(self, request: Request) -> Response:
        served = self._classifier
        return JSONResponse(
            {
                "name": served.name,
                "variant": served.variant,
                "thresholds": served.thresholds,
                "limits": {
                    "body_bytes": asked.BODY_BYTES,
                    "texts": asked.TEXTS,
                    "characters": asked.CHARACTERS,
                },
            }
        )

    async def infer(self, request: Request) -> Response:
        if "inference-header-content-length" in request.headers:
            raise RequestError("body: found binary tensors, expected JSON; a client has an option for it")
        given = v2.asked_of(await _body(request))
        answers = await self._answered(given.texts)
        return JSONResponse(v2.inferred(self._classifier.name, given, [answer.row for answer in answers]))

    async def live(self, request: Request) -> Response:
        return JSONResponse({"live": True})

    async def v2_server(self, request: Request) -> Response:
        return JSONResponse(v2.server(self._classifier.name))

    async def v2_model(self, request: Request) -> Response:
        return JSONResponse(v2.model(self._classifier.name, len(self._classifier.labels)))

    async def failed(self, request: Request, error: Exception) -> Response:
        """Answer that the graph failed; what it said is for the server's own log."""
        print(f"error: {error}", file=sys.stderr, flush=True)
        broken = await self._classifier.is_broken()
        if broken is not None:
            self._fail(broken)
        return _error(500, "the graph failed; the server's log says why")

    def routes(self) -> list[Route]:
        own = f"/v2/models/{self._classifier.name}"
        return [
            Route("/classify", self.classify, methods=["POST"]),
            Route("/health", self.ready),
            Route("/metrics", self.metrics),
            Route("/", self.model),
            Route("/v2", self.v2_server),
            Route("/v2/health/live", self.live),
            Route("/v2/health/ready", self.ready),
            *(
                route
                for model in (own, f"{own}/versions/{v2.VERSION}")
                for route in (
                    Route(model, self.v2_model),
                    Route(f"{model}/ready", self.ready),
                    Route(f"{model}/infer", self.infer, methods=["POST"]),
                )
            ),
        ]


async def _refused(request: Request, error: Exception) -> Response:
    return _error(400, str(error))


async def _busy(request: Request, error: Exception) -> Response:
    return _error(503, "too many texts wait; ask again in a second", _RETRY)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = error.detail
    if error.status_code in (404, 405):
        expected = "POST /classify, GET /, /health or /metrics, or the Open Inference Protocol's /v2"
        message = f"{request.method} {request.url.path}: expected {expected}"
    return _error(error.status_code, message, error.headers)


async def _unexpected(request: Request, error: Exception) -> Response:
    # Starlette raises it again, and uvicorn prints it.
    return _error(500, "the server failed; its log says why")


async def _gone(request: Request, error: Exception) -> Response:
    # Nobody reads it.
    return Response(status_code=400)


def application(
    classifier: Classifier, metrics: Metrics, fail: Callable[[ToolchainError], object]
) -> Starlette:
    """Return the application; `fail` is called once the graph can run nothing any more, with the reason."""
    endpoints = _Endpoints(classifier, metrics, fail)
    routes = endpoints.routes()
    handlers = {
        RequestError: _refused,
        BusyError: _busy,
        ToolchainError: endpoints.failed,
        HTTPException: _http,
        ClientDisconnect: _gone,
        Exception: _unexpected,
    }
    counted = Middleware(_Counted, metrics=metrics, paths={route.path for route in routes})
    return Starlette(routes=routes, middleware=[counted], exception_handlers=handlers)
