"""One request for a page: who asks, in which language, what the engine is asked for, and the reply."""

import asyncio
import gzip
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from google.protobuf.message import Message
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from engine.clock import wall_ns
from engine.web.console import forms
from engine.web.console.calls import EngineCalls
from engine.web.console.formats import Formats
from engine.web.console.languages import Language
from engine.web.console.sessions.sealed import Session
from engine.web.console.templating import render
from engine.web.console.words import Words
from engine.web.replies import PieceResponse, takes_gzip

ROLES = ("viewer", "inspector", "operator", "admin")
_GZIP_BYTES_MIN = 1400
_GZIP_LEVEL = 3
_URL_CHARS = ":/%#?=@[]!$&'()*+,;"


class Page:
    """`root`: path of the console. `caller`: the reply of GetCaller, None before sign-in. `form`: of a POST, checked.

    `regions`: names by region code, of the regions that the caller may see. `navigation`: paths and titles of the
    screens that the caller finds there.
    """

    def __init__(
        self,
        request: Request,
        root: str,
        language: Language,
        session: Session | None,
        engine: EngineCalls,
        form_token: str,
        form: FormData | None = None,
    ) -> None:
        self.request = request
        self.root = root
        self.language = language
        self.session = session
        self.engine = engine
        self.form_token = form_token
        self.form: Any = form
        self.caller: Any = None
        self.regions: dict[str, str] = {}
        self.navigation: list[tuple[str, str]] = []
        self.zone = ZoneInfo("UTC")
        theme = request.cookies.get("patrol_theme", "")
        self.theme = theme if theme in ("light", "dark") else "auto"

    @property
    def query(self) -> Any:
        """The fields of the URL's query."""
        return self.request.query_params

    @property
    def path(self) -> dict[str, str]:
        """The variables of the URL's path."""
        return self.request.path_params

    @property
    def is_part(self) -> bool:
        """Whether htmx asks for a part of a page."""
        return self.request.headers.get("hx-request") == "true"

    @property
    def here(self) -> str:
        """Path and query of this page below the console's root, to come back to."""
        url = self.request.url
        path = url.path.removeprefix(self.root) if self.request.method == "GET" else "/"
        return path + ("?" + url.query if url.query and self.request.method == "GET" else "")

    def is_section(self, path: str) -> bool:
        """Whether this page belongs to an entry of the navigation."""
        own = self.request.url.path.removeprefix(self.root)
        return own == path or (path != "/" and own.startswith(path + "/"))

    def may(self, role: str) -> bool:
        """Whether the caller has the rights of a role."""
        return self.caller is not None and self.caller.role >= 1 + ROLES.index(role)

    def text(self, english: str, **values: Any) -> str:
        """Return a text in the page's language."""
        return self.language.text(english) % values if values else self.language.text(english)

    def region_name(self, code: str) -> str:
        """Return the name of a region; its code if it has none."""
        return self.regions.get(code, code)

    def url(self, path: str, **query: Any) -> str:
        """Return a URL of the console. Fields of the query that are empty are left out."""
        kept = [(name, value) for name, value in query.items() if value not in ("", None, False, ())]
        return self.root + path + ("?" + urlencode(kept, doseq=True) if kept else "")

    async def call(self, request: Message, deadline_s: float = 0.0) -> Any:
        """Make a call of the engine. Raises HttpError, which becomes a page of its own."""
        return await self.engine.call(request, deadline_s)

    def words(self) -> Words:
        """Return the words for enums in this page."""
        return Words(self.language)

    def formats(self) -> Formats:
        """Return what writes times and numbers in this page."""
        return Formats(self.language, self.zone, wall_ns())

    async def render(self, template: str, status: int = 200, /, **values: Any) -> Response:
        """Return a template as a page, compressed if the browser takes it."""
        context = {"page": self, "f": self.formats(), "request_id": forms.new_request_id(), **values}
        body = render(template, self.language, context).encode()
        headers = {"Cache-Control": "no-store", "Vary": "Accept-Encoding, Accept-Language, Cookie"}
        headers["Content-Language"] = self.language.code
        if len(body) >= _GZIP_BYTES_MIN and takes_gzip(self.request.headers.get("accept-encoding", "")):
            body = await asyncio.to_thread(gzip.compress, body, _GZIP_LEVEL, mtime=0)
            headers["Content-Encoding"] = "gzip"
        return PieceResponse(body, status, headers, media_type="text/html; charset=utf-8")

    def go_to(self, path: str, **query: Any) -> Response:
        """Send the browser to a path of the console with GET."""
        target = quote(self.url(path, **query), safe=_URL_CHARS)  # a header has ASCII characters only
        if self.is_part:
            return Response(status_code=204, headers={"HX-Redirect": target, "Cache-Control": "no-store"})
        return Response(status_code=303, headers={"Location": target, "Cache-Control": "no-store"})
