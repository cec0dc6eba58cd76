"""Sends a CSV file piece by piece while its rows are read; the first piece is ready before the reply begins."""

import asyncio
import io
from collections.abc import AsyncGenerator, Iterable
from urllib.parse import quote

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from engine.csv_cells import CsvWriter
from engine.web.errors import HttpError
from engine.web.replies import SEND_S

BYTE_ORDER_MARK = "\ufeff"
"""Tells Excel that the file is UTF-8."""


class CsvReply(Response):
    """A file. `first`: its beginning; `parts`: the rest. `failed`: begins the line that says that the file ends early,
    because an error ended `parts`; the error's message follows. `name`: of the file.
    """

    media_type = "text/csv; charset=utf-8"

    def __init__(self, first: str, parts: AsyncGenerator[str, None], name: str, failed: str) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "Content-Disposition": _disposition(name)})
        del self.headers["content-length"]
        self._first = first
        self._parts = parts
        self._failed = failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it until it ends, or the browser leaves."""
        del scope
        sending = asyncio.ensure_future(self._send(send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            sending.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            await self._parts.aclose()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await _send_piece(send, BYTE_ORDER_MARK + self._first)
        try:
            async for part in self._parts:
                await _send_piece(send, part)
        except HttpError as error:
            await _send_piece(send, csv_text([[f"{self._failed} {error}"]]))
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def csv_reply(parts: AsyncGenerator[str, None], name: str, failed: str) -> CsvReply:
    """Return the reply, after its first part is made: an error until then becomes a page. Raises HttpError."""
    return CsvReply(await anext(parts, ""), parts, name, failed)


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Return rows as CSV in which no text is a formula."""
    text = io.StringIO()
    CsvWriter(text).rows(rows)
    return text.getvalue()


async def _send_piece(send: Send, text: str) -> None:
    async with asyncio.timeout(SEND_S):
        await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _disposition(name: str) -> str:
    """Return the header that names the file; `name` may have any characters."""
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-._") else "_" for letter in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
