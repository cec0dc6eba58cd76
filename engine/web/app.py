"""The ASGI application: the gateway behind /v1, the console, and around them health, metrics, headers and the log."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.config.serve import ServeSettings
from engine.config.web import WebSettings
from engine.errors import ErrorReason
from engine.metrics.web import WebMetrics
from engine.runtime.log import logger
from engine.runtime.metrics_password import MetricsPassword
from engine.web.admission import Admission
from engine.web.channel import EngineChannel
from engine.web.console.app import build_console
from engine.web.console.console import ROOT, Console
from engine.web.documents import descriptors, index_html, openapi_json
from engine.web.errors import HttpError, refusal
from engine.web.gateway import LABEL, Gateway
from engine.web.replies import error_response, json_response

_PROBES = ("/healthz", "/readyz")
"""Paths that answer whatever the Host header says: a prober calls a machine by its address."""
_CORS_HEADERS = ("authorization", "content-type", "grpc-timeout", "if-none-match", "last-event-id")
_CORS_EXPOSED = ("etag", "retry-after", "patrol-verdict", "patrol-arrival-time")
_CORS_AGE_S = 600
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
}
_HSTS = "max-age=31536000"


def build_app(
    web: WebSettings,
    serve: ServeSettings,
    engine: EngineChannel,
    metrics: WebMetrics,
    closing: "asyncio.Future[None]",
    password: MetricsPassword | None = None,
    refused: Callable[[str, str], None] = lambda _, __: None,
    session_key: bytes = b"",
) -> ASGIApp:
    """Return the application. `serve.metrics_public`: whether everybody may read its metrics too. `password`: if there
    is one, those who know it may, and nobody else. `refused(reason, host)`: is told of the others.

    `closing`: done when the process stops; streams end then. `session_key`: seals the sessions of the console; empty:
    there is no console.
    """
    admission = Admission(web.listen, web.hosts, web.cors_origins)

    async def ready(request: Request) -> Response:
        if await engine.is_serving():
            return PlainTextResponse("ready\n")
        return await error_response(request, _not_ready())

    async def show_metrics(request: Request) -> Response:
        peer = request.client.host if request.client else ""
        if password is not None:
            authorization = request.headers.get("authorization", "")
            if not password.admits(authorization):
                refused("password_wrong" if authorization else "password_missing", peer)
                return await error_response(request, _metrics_password_wanted())
        elif not serve.metrics_public and not admission.is_trusted(peer, request.headers):
            return await error_response(request, _metrics_refused())
        return PlainTextResponse(metrics.render(), media_type="text/plain; version=0.0.4")

    routes: list[BaseRoute] = [
        Route("/", _first_page if session_key else _index),
        Route("/api", _index),
        Route("/openapi.json", _openapi),
        Route("/patrol.v1.binpb", _binpb),
        Route("/healthz", _alive),
        Route("/readyz", ready),
        Route("/metrics", show_metrics),
        Mount("/v1", app=Gateway(web, engine, admission, metrics, closing)),
    ]
    if session_key:
        console = Console(web, engine, admission, metrics, session_key, closing)
        routes.append(Mount(ROOT, app=build_console(console)))
    errors: Any = {HTTPException: _plain_error, Exception: _internal_error}
    app: ASGIApp = Starlette(routes=routes, exception_handlers=errors)
    if web.cors_origins:
        app = CORSMiddleware(
            app,
            allow_origins=web.cors_origins,
            allow_methods=("GET", "HEAD", "POST", "PATCH", "DELETE"),
            allow_headers=_CORS_HEADERS,
            expose_headers=_CORS_EXPOSED,
            max_age=_CORS_AGE_S,
        )
    return _Envelope(app, admission, metrics, _headers(web))


class _Envelope:
    """Around every request: the check of its Host, headers of the reply, the metric and the line in the log."""

    def __init__(self, app: ASGIApp, admission: Admission, metrics: WebMetrics, headers: dict[str, str]) -> None:
        self._app = app
        self._admission = admission
        self._metrics = metrics
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # uvicorn is told not to offer anything else
            return
        began_s = time.perf_counter()
        status, sent = 0, 0

        async def send_on(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            else:
                sent += len(message.get("body", b""))
            await send(message)

        try:
            await self._admitted(scope, receive, send_on)
        except TimeoutError:
            # uvicorn closes a connection whose reply is not complete.
            logger().info("a caller did not read", path=scope["path"][:200])
        finally:
            seconds = time.perf_counter() - began_s
            route = scope.get(LABEL) or (scope["path"] if scope["path"] in _PAGES else "other")
            self._metrics.request(route, status, seconds, sent)
            changes = scope["method"] not in ("GET", "HEAD", "OPTIONS")
            write = logger().info if changes or status >= 500 else logger().debug
            write(
                "request", method=scope["method"], path=scope["path"][:200], status=status, ms=round(seconds * 1e3, 1)
            )

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] not in _PROBES:
            try:
                self._admission.check_host(Headers(scope=scope))
            except HttpError as error:
                await (await error_response(Request(scope), error))(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _headers(web: WebSettings) -> dict[str, str]:
    """Return the security headers of every reply."""
    headers = dict(_SECURITY_HEADERS)
    headers["Cross-Origin-Resource-Policy"] = "cross-origin" if web.cors_origins else "same-origin"
    if web.tls_cert_file:
        headers["Strict-Transport-Security"] = _HSTS
    return headers


async def _first_page(request: Request) -> Response:
    del request
    return Response(status_code=303, headers={"Location": f"{ROOT}/"})


async def _index(request: Request) -> Response:
    del request
    return Response(index_html(), media_type="text/html; charset=utf-8")


async def _openapi(request: Request) -> Response:
    return await json_response(request, openapi_json(), headers={"Cache-Control": "no-cache"})


async def _binpb(request: Request) -> Response:
    del request
    name = 'attachment; filename="patrol.v1.binpb"'
    return Response(descriptors(), headers={"Content-Disposition": name}, media_type="application/x-protobuf")


async def _alive(request: Request) -> Response:
    del request
    return PlainTextResponse("ok\n")


async def _plain_error(request: Request, error: HTTPException) -> Response:
    """Answer a path or method that does not exist in the form of all other errors."""
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        message = f"{request.method} is not allowed here; allowed: {allowed}"
        refused = refusal("UNIMPLEMENTED", "METHOD_NOT_ALLOWED", message, http=405, headers={"Allow": allowed})
        return await error_response(request, refused)
    path = request.url.path[:200]
    return await error_response(
        request, refusal("NOT_FOUND", "NO_SUCH_PATH", f"{path!r} is no path of this server; /api lists all paths")
    )


async def _internal_error(request: Request, error: Exception) -> Response:
    """Answer a request that met an error of ours; uvicorn logs it."""
    del error
    return await error_response(
        request, refusal("INTERNAL", ErrorReason.INTERNAL, "internal error; the gateway's log says more")
    )


def _not_ready() -> HttpError:
    return refusal(
        "UNAVAILABLE", ErrorReason.TEMPORARILY_UNAVAILABLE, "the engine does not serve yet, or no longer", retry_s=1
    )


def _metrics_refused() -> HttpError:
    message = "metrics are shown to callers on this machine; set serve.metrics_public to show them to all"
    return refusal("PERMISSION_DENIED", "METRICS_REFUSED", message)


def _metrics_password_wanted() -> HttpError:
    message = "send the password of serve.metrics_password_file as Bearer token, or as Basic with any user"
    challenge = {"WWW-Authenticate": 'Basic realm="kitchen-patrol metrics", charset="UTF-8"'}
    return refusal("UNAUTHENTICATED", "METRICS_PASSWORD_WANTED", message, headers=challenge)


_PAGES = ("/", "/api", "/openapi.json", "/patrol.v1.binpb", "/metrics", *_PROBES)
