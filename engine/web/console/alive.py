"""Answers whether the engine serves; pages ask every few seconds, and show a banner while it does not."""

from starlette.responses import PlainTextResponse, Response

from engine.web.console.console import Console, Handler
from engine.web.console.page import Page


def answer(console: Console) -> Handler:
    """Return the handler: 204 while the engine serves, else 503."""

    async def handle(_: Page) -> Response:
        if await console.engine.is_serving():
            return Response(status_code=204, headers={"Cache-Control": "no-store"})
        return PlainTextResponse("away\n", 503, {"Cache-Control": "no-store", "Retry-After": "2"})

    return handle
