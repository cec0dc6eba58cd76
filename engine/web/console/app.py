"""The console as an ASGI application: every path with what answers it, and the headers that all pages have."""

from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engine.web.console import alive
from engine.web.console.assets import serve_asset
from engine.web.console.console import Console
from engine.web.console.page import Page
from engine.web.console.screens import SCREENS
from engine.web.console.sessions.sign_in import SignIn
from engine.web.errors import refusal

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "accelerometer=(), camera=(), display-capture=(), geolocation=(), microphone=(), usb=()",
    "X-Permitted-Cross-Domain-Policies": "none",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "X-DNS-Prefetch-Control": "off",
    "Referrer-Policy": "same-origin",
}
"""As in the OWASP HTTP Headers Cheat Sheet. Pages have no script, style or picture from elsewhere, and none inline."""


def build_console(console: Console) -> ASGIApp:
    """Return the application; it is mounted at ROOT."""
    console.screens = [screen for screen in SCREENS if screen.path]
    sign_in = SignIn(console)
    routes = [
        Route("/signin", console.endpoint("signin", sign_in.show, anonymous=True)),
        Route(
            "/signin",
            console.endpoint("signin", sign_in.submit, anonymous=True, form_bytes_max=16_384),
            methods=["POST"],
        ),
        Route("/signout", console.endpoint("signout", sign_in.leave, anonymous=True), methods=["POST"]),
        Route("/choose", console.endpoint("choose", sign_in.choose, anonymous=True), methods=["POST"]),
        Route("/alive", console.endpoint("alive", alive.answer(console), anonymous=True)),
        Route("/assets/{hash}/{name:path}", console.endpoint("asset", _asset, anonymous=True)),
    ]
    for screen in SCREENS:
        routes += screen.routes(console)
    return _Headers(Starlette(routes=routes, exception_handlers={HTTPException: _elsewhere(console)}))


async def _asset(page: Page) -> Response:
    return await serve_asset(page.request)


def _elsewhere(console: Console) -> Any:
    """Return what answers a path or method that does not exist."""

    async def refuse(_: Page) -> Response:
        raise refusal("NOT_FOUND", "NO_SUCH_PATH", "the console has no such page")

    answer = console.endpoint("other", refuse, anonymous=True)

    async def handle(request: Request, _: HTTPException) -> Response:
        return await answer(request)

    return handle


class _Headers:
    """Gives every reply the headers of the console."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)  # the digest, a file of its own, has its own policy
            await send(message)

        await self._app(scope, receive, send_on)
