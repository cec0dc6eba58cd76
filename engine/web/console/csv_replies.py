"""Sends CSV files that spreadsheets open: at once, or piece by piece while their rows are read."""

import io
from collections.abc import AsyncGenerator, Iterable
from urllib.parse import quote

from starlette.responses import Response

from engine.csv_cells import CsvWriter
from engine.web.errors import HttpError
from engine.web.replies import PieceResponse, StreamReply

BYTE_ORDER_MARK = "\ufeff"
"""Tells Excel that the file is UTF-8; without it it takes the file for GBK."""
_MEDIA_TYPE = "text/csv; charset=utf-8"


def csv_file(rows: Iterable[Iterable[object]], name: str) -> Response:
    """Return a file whose rows are at hand. `name`: of the file."""
    body = (BYTE_ORDER_MARK + csv_text(rows)).encode()
    return PieceResponse(body, 200, _headers(name), media_type=_MEDIA_TYPE)


async def csv_reply(parts: AsyncGenerator[str, None], name: str, failed: str) -> Response:
    """Return a file that is sent while its parts are made, after the first is: an error until then becomes a page.

    `failed`: begins the line that says that the file ends early, because an error ended `parts`; the error's message
    follows. Raises HttpError.
    """
    return StreamReply(_pieces(await anext(parts, ""), parts, failed), _MEDIA_TYPE, _headers(name))


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Return rows as CSV in which no text is a formula."""
    text = io.StringIO()
    CsvWriter(text).rows(rows)
    return text.getvalue()


async def _pieces(first: str, parts: AsyncGenerator[str, None], failed: str) -> AsyncGenerator[bytes, None]:
    try:
        yield (BYTE_ORDER_MARK + first).encode()
        async for part in parts:
            yield part.encode()
    except HttpError as error:
        yield csv_text([[f"{failed} {error}"]]).encode()
    finally:
        await parts.aclose()


def _headers(name: str) -> dict[str, str]:
    """Return the headers of a file; `name` may have any characters."""
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-._") else "_" for letter in name)
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    return {"Cache-Control": "no-store", "Content-Disposition": disposition}
