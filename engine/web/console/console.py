"""Opens pages: finds the session of a request, asks the engine who it is, checks forms, and turns errors into pages."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from time import monotonic
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from engine.clock import wall_ns
from engine.config.web import WebSettings
from engine.errors import InvalidArgumentError
from engine.metrics.web import WebMetrics
from engine.model.access import CALLER_METADATA, PEER_METADATA
from engine.runtime.log import logger
from engine.web.admission import Admission, origin_host, peer_text
from engine.web.channel import EngineChannel
from engine.web.console import forms
from engine.web.console.areas.area_map import AreaMap
from engine.web.console.calls import EngineCalls
from engine.web.console.error_pages import error_page
from engine.web.console.languages import choose, language
from engine.web.console.page import Page
from engine.web.console.rehearsals import Rehearsals
from engine.web.console.sessions.sealed import Session, Sessions
from engine.web.errors import HttpError, invalid, refusal
from engine.web.gateway import LABEL
from patrol.v1.access_pb2 import GetCallerRequest
from patrol.v1.patrol_pb2 import GetStatusRequest, ListRegionsRequest

ROOT = "/console"
SESSION_COOKIE = "patrol_session"
_SECOND_NS = 1_000_000_000
_NAMES_S = 60.0
"""How long the names of regions and the time zone are kept."""
_SCOPES_MAX = 1000
_SAFE = ("GET", "HEAD")

Handler = Callable[[Page], Awaitable[Response]]


class Console:
    """What all pages share. `closing`: done when the process stops; streams end then. `screens`: those that the
    navigation may have; the application sets them, since each is made of endpoints of the console.
    """

    def __init__(
        self,
        settings: WebSettings,
        engine: EngineChannel,
        admission: Admission,
        metrics: WebMetrics,
        key: bytes,
        closing: "asyncio.Future[None]",
    ) -> None:
        self.settings = settings
        self.engine = engine
        self.metrics = metrics
        self.closing = closing
        self.map = AreaMap(settings.map_file)
        self.sessions = Sessions(key, settings.session_hours)
        self._admission = admission
        self.screens: Sequence[Any] = ()
        self.rehearsals = Rehearsals()
        self._uploads = 0
        self._names: dict[str, tuple[float, dict[str, str], ZoneInfo]] = {}

    def endpoint(
        self,
        name: str,
        handler: Handler,
        *,
        anonymous: bool = False,
        plain: bool = False,
        form_bytes_max: int = forms.FORM_BYTES_MAX,
        files_max: int = 0,
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return what answers a request with a handler. `name`: for metrics and log. `anonymous`: without a session.

        `plain`: without asking who it is and what regions are called, for pictures: the engine checks the token anyway.
        `form_bytes_max`, `files_max`: of a POST.
        """

        async def answer(request: Request) -> Response:
            request.scope[LABEL] = f"console/{name}"
            page = self._page(request)
            try:
                if request.method not in _SAFE:
                    with self._upload() if files_max else nullcontext():
                        page.form = await self._form(page, form_bytes_max, files_max)
                if not anonymous:
                    await self._admit(page, plain)
                response = await handler(page)
            except HttpError as error:
                return await self._refuse(page, error)
            except InvalidArgumentError as error:
                return await self._refuse(page, invalid(error))
            except ClientDisconnect:
                return Response(status_code=499)
            except Exception:  # noqa: BLE001 (a fault of ours: the log has it, the user a page)
                logger().exception("a page of the console failed", page=name)
                return await self._refuse(page, refusal("INTERNAL", "INTERNAL", "the console has a fault; see its log"))
            self._renew(page, response)
            return response

        return answer

    def sign_in(self, response: Response, token: str) -> None:
        """Give the browser a session."""
        self._set_cookie(response, self.sessions.seal(token, wall_ns() // _SECOND_NS), self.sessions.seconds)

    def sign_out(self, response: Response) -> None:
        """Take the session from the browser."""
        self._set_cookie(response, "", 0)

    def calls(self, request: Request, token: str) -> EngineCalls:
        """Return calls with a token; without one they are those of a user of this machine, if it is one."""
        host, port = request.client or ("", 0)
        local = self._admission.is_trusted(host, request.headers)
        metadata = [
            (PEER_METADATA, f"{peer_text(host, port)} console"),
            (CALLER_METADATA, "local" if local else "remote"),
        ]
        if token:
            metadata.append(("authorization", f"Bearer {token}"))
        return EngineCalls(self.engine, metadata, self.settings.deadline_s)

    @contextmanager
    def _upload(self) -> Iterator[None]:
        """Count a form with files that is read. Raises HttpError if there are too many."""
        most = self.settings.uploads_max
        if self._uploads >= most:
            self.metrics.refused("uploads")
            message = f"{most} uploads are under way, which is the most (web.uploads_max); try again in a moment"
            raise refusal("UNAVAILABLE", "TOO_MANY_UPLOADS", message, retry_s=1)
        self._uploads += 1
        try:
            yield
        finally:
            self._uploads -= 1

    def _page(self, request: Request) -> Page:
        session = self.sessions.open(request.cookies.get(SESSION_COOKIE, ""), wall_ns() // _SECOND_NS)
        code = choose(request.cookies.get("patrol_language", ""), request.headers.get("accept-language", ""))
        calls = self.calls(request, session.token if session else "")
        return Page(request, ROOT, language(code), session, calls, self.sessions.form_token(session))

    async def _admit(self, page: Page, plain: bool) -> None:
        """Find out who it is, and what regions are called. Raises HttpError for one who must sign in first."""
        host, _ = page.request.client or ("", 0)
        if page.session is None and not self._admission.is_trusted(host, page.request.headers):
            raise refusal("UNAUTHENTICATED", "SIGN_IN", "sign in")
        if plain:
            return
        page.caller = await page.call(GetCallerRequest())
        kept = self._names.get(page.caller.region)
        if kept is None or kept[0] < monotonic():
            regions, status = await asyncio.gather(page.call(ListRegionsRequest()), page.call(GetStatusRequest()))
            names = {region.code: region.display_name for region in regions.regions}
            kept = (monotonic() + _NAMES_S, names, _zone(status.time_zone))
            if len(self._names) >= _SCOPES_MAX:
                self._names.clear()
            self._names[page.caller.region] = kept
        _, page.regions, page.zone = kept
        page.navigation = [(screen.path, screen.title) for screen in self.screens if screen.is_shown_to(page)]

    async def _form(self, page: Page, bytes_max: int, files_max: int) -> Any:
        """Return the form of a POST, after checks that a page of ours sent it. Raises HttpError."""
        headers = page.request.headers
        origin, fetch_site = headers.get("origin", ""), headers.get("sec-fetch-site", "")
        if origin_host(origin) != headers.get("host", "") or fetch_site not in ("", "same-origin"):
            raise refusal("PERMISSION_DENIED", "ORIGIN_REFUSED", "the form was sent by a page of another origin")
        form = await forms.read_form(page.request, bytes_max, files_max)
        token = headers.get("x-form-token", "") or forms.text(form, "form_token", 200)
        if not self.sessions.is_form_token(token, page.session):
            message = "the form is of another session, or too old; go back, load the page again and send the form again"
            raise refusal("PERMISSION_DENIED", "FORM_TOKEN", message)
        return form

    async def _refuse(self, page: Page, error: HttpError) -> Response:
        response = await error_page(page, error)
        if page.session is not None and error.http == 401:
            self.sign_out(response)  # the token is revoked, or expired
        return response

    def _renew(self, page: Page, response: Response) -> None:
        """Seal the cookie again after half its time, so that who works is not signed out."""
        session: Session | None = page.session
        if session is None or SESSION_COOKIE in response.headers.get("set-cookie", ""):
            return
        now_s = wall_ns() // _SECOND_NS
        if now_s - session.begin_s > self.sessions.seconds / 2:
            cookie = self.sessions.seal(session.token, now_s, session.secret)
            self._set_cookie(response, cookie, self.sessions.seconds)

    def _set_cookie(self, response: Response, value: str, seconds: int) -> None:
        secure = bool(self.settings.tls_cert_file) or self.settings.behind_tls
        response.set_cookie(
            SESSION_COOKIE, value, max_age=seconds, path=ROOT, secure=secure, httponly=True, samesite="lax"
        )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
