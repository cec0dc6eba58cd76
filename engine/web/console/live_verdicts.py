"""Tells open pages of new verdicts: one watch of the engine for all pages that watch the same, each event written once.

Verdicts of a second go out together. A page that comes back with the id of its last event gets what it missed, as long
as that is kept; else it is told to load again what it shows.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple

import orjson

from engine.metrics.web import WebMetrics
from engine.web.console.calls import EngineCalls
from engine.web.console.camera_rows import verdict_fields, words_of
from engine.web.console.names import camera_id
from engine.web.errors import HttpError, code_name, refusal
from patrol.v1.access_pb2 import GetCallerRequest
from patrol.v1.patrol_pb2 import VerdictFilter, WatchVerdictsRequest
from patrol.v1.verdicts_pb2 import Verdict, View

PAGES_MAX = 200
"""Live pages at once."""
TICK_S = 1.0
_TICKS_KEPT = 120
_TICK_VERDICTS_MAX = 2_000
"""With more in a second pages load again what they show."""
_CHECK_S = 30.0
"""How often the token of a page is checked: the watch may have been begun with another of the same region."""
_AGAIN_S = (0.2, 0.5, 1.0, 2.0)
_RETRY_MS = 2_000


class Watched(NamedTuple):
    """What pages watch together. `scope`: the region that their tokens allow."""

    scope: str
    region: str
    site_id: str


class LiveVerdicts:
    """The live pages of a console. `closing`: done when the process stops; the streams end then. For one event loop."""

    def __init__(self, closing: "asyncio.Future[None]", metrics: WebMetrics) -> None:
        self._closing = closing
        self._metrics = metrics
        self._watches: dict[Watched, _Watch] = {}
        self._pages = 0

    def check_room(self) -> None:
        """Raise HttpError if there are as many live pages as there may be."""
        if self._pages >= PAGES_MAX:
            self._metrics.refused("streams")
            message = f"{PAGES_MAX} live pages are open, which is the most; close some, or load this page again later"
            raise refusal("UNAVAILABLE", "TOO_MANY_STREAMS", message, retry_s=5)

    async def events(
        self, watched: Watched, calls: EngineCalls, language: str, after: str
    ) -> AsyncGenerator[bytes, None]:
        """Yield server-sent events. `after`: the id of the last event that the page got; empty: it is new."""
        if self._pages >= PAGES_MAX:
            return
        self._count(1)
        watch = self._watches.get(watched)
        if watch is None:
            watch = self._watches[watched] = _Watch(watched)
        watch.enter(calls)
        try:
            yield b": patrol\nretry: %d\n\n" % _RETRY_MS
            async for event in self._follow(watch, calls, language, after):
                yield event
        finally:
            self._count(-1)
            if watch.leave(calls) and self._watches.get(watched) is watch:
                del self._watches[watched]

    async def _follow(
        self, watch: "_Watch", calls: EngineCalls, language: str, after: str
    ) -> AsyncGenerator[bytes, None]:
        place = watch.place_of(after)
        checked_s = asyncio.get_running_loop().time()
        while not self._closing.done():
            ticks = watch.behind(place)
            place = watch.number
            if ticks is None:
                yield watch.begin()
            for tick in ticks or ():
                yield tick.event(language)
            if place == watch.number:
                ends = {watch.next_tick, self._closing}
                await asyncio.wait(ends, timeout=_CHECK_S, return_when=asyncio.FIRST_COMPLETED)
            now_s = asyncio.get_running_loop().time()
            if now_s - checked_s >= _CHECK_S or watch.is_refused(calls):
                checked_s = now_s
                if not await _is_known(calls):
                    yield b"event: signin\ndata: {}\n\n"
                    return

    def _count(self, change: int) -> None:
        self._pages += change
        self._metrics.live_pages(self._pages)


class _Tick:
    """The verdicts of a second, or without any that the engine went away (`lost`) or is there. `token`: resumes behind
    them. `whole`: false if there were too many; pages load again what they show.
    """

    def __init__(self, token: str, verdicts: list[Verdict], *, lost: bool = False, whole: bool = True) -> None:
        self._token = token
        self._verdicts = verdicts
        self._lost = lost
        self._whole = whole
        self._events: dict[str, bytes] = {}

    @property
    def token(self) -> str:
        """Resumes behind this second."""
        return self._token

    def event(self, language: str) -> bytes:
        """Return the event in a language; it is written once."""
        written = self._events.get(language)
        if written is None:
            written = self._events[language] = self._written(language)
        return written

    def _written(self, language: str) -> bytes:
        if not self._whole:
            return _event("begin", self._token, b"{}")
        if self._lost:
            return _event("lost", self._token, b"{}")
        words = words_of(language)
        rows = [{"id": _camera_of(verdict), **verdict_fields(verdict, words)} for verdict in self._verdicts]
        return _event("verdicts", self._token, orjson.dumps(rows))


class _Watch:
    """A watch of the engine, with the calls of any page that follows it: one whose token ends, ends no other."""

    def __init__(self, watched: Watched) -> None:
        self._watched = watched
        self._calls: list[EngineCalls] = []
        self._refused: list[EngineCalls] = []
        self._kept: deque[_Tick] = deque(maxlen=_TICKS_KEPT)
        self._pending: dict[str, Verdict] = {}
        self._token = ""
        self._lost = False
        self._overflow = False
        self._flush: asyncio.TimerHandle | None = None
        self.number = 0
        self.next_tick: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def enter(self, calls: EngineCalls) -> None:
        """Have a page follow."""
        self._calls.append(calls)

    def leave(self, calls: EngineCalls) -> bool:
        """Let a page go; return whether it was the last one, with which the watch ends."""
        self._calls.remove(calls)
        if calls in self._refused:
            self._refused.remove(calls)
        if self._calls:
            return False
        self._task.cancel()
        if self._flush is not None:
            self._flush.cancel()
        return True

    def is_refused(self, calls: EngineCalls) -> bool:
        """Whether the engine refused the watch with these calls."""
        return calls in self._refused

    def place_of(self, token: str) -> int:
        """Return the number of the tick with this token; -1 if it is not kept."""
        for number, tick in enumerate(self._kept, self.number - len(self._kept) + 1):
            if token and tick.token == token:
                return number
        return -1

    def behind(self, place: int) -> list[_Tick] | None:
        """Return the ticks after one; None if some of them are no longer kept."""
        behind = self.number - place
        if place < 0 or behind > len(self._kept):
            return None
        return list(self._kept)[len(self._kept) - behind :] if behind else []

    def begin(self) -> bytes:
        """Return the event that has a page load again what it shows, and one that the engine is away if it is."""
        token = self._kept[-1].token if self._kept else self._token
        return _event("begin", token, b"{}") + (_event("lost", token, b"{}") if self._lost else b"")

    async def _run(self) -> None:
        failures = 0
        while True:
            token = self._token
            calls = next((calls for calls in self._calls if calls not in self._refused), None)
            try:
                if calls is not None:
                    await self._read(calls)
            except HttpError as error:
                code = code_name(error.status)
                if code in ("OUT_OF_RANGE", "INVALID_ARGUMENT") and token:
                    self._token, self._overflow = (
                        "",
                        True,
                    )  # the log no longer has the place, or it is of another engine
                    self._add_later()
                elif calls is not None and code in ("UNAUTHENTICATED", "PERMISSION_DENIED"):
                    self._refused.append(calls)
            failures = 0 if self._token != token else failures + 1
            if failures and not self._lost:
                self._lost = True
                self._add(_Tick(self._token, [], lost=True))
            await asyncio.sleep(_AGAIN_S[min(failures, len(_AGAIN_S) - 1)])

    async def _read(self, calls: EngineCalls) -> None:
        watched = self._watched
        request = WatchVerdictsRequest(
            filter=VerdictFilter(region_prefix=watched.region, site_id=watched.site_id),
            resume_token=self._token,
            view=View.VIEW_BASIC,
        )
        replies = calls.stream(request)
        try:
            async for reply in replies:
                self._token = reply.resume_token or self._token
                self._take_in(reply.verdicts)
        finally:
            await replies.aclose()

    def _take_in(self, verdicts: Any) -> None:
        for verdict in verdicts:
            self._pending[verdict.name.rpartition("/verdicts/")[0]] = verdict
        if len(self._pending) > _TICK_VERDICTS_MAX:
            self._pending.clear()
            self._overflow = True
        self._lost = False
        self._add_later()  # without verdicts too: a heartbeat tells pages that the engine is there

    def _add_later(self) -> None:
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(TICK_S, self._add_pending)

    def _add_pending(self) -> None:
        self._flush = None
        whole, self._overflow = not self._overflow, False
        self._add(_Tick(self._token, list(self._pending.values()), whole=whole))
        self._pending = {}

    def _add(self, tick: _Tick) -> None:
        self._kept.append(tick)
        self.number += 1
        told, self.next_tick = self.next_tick, asyncio.get_running_loop().create_future()
        if not told.done():
            told.set_result(None)


def _event(name: str, token: str, data: bytes) -> bytes:
    return b"event: %s\nid: %s\ndata: %s\n\n" % (name.encode(), token.encode(), data)


def _camera_of(verdict: Verdict) -> str:
    return camera_id(verdict.name.rpartition("/verdicts/")[0])


async def _is_known(calls: EngineCalls) -> bool:
    """Whether the engine still takes the token; one that is away may."""
    try:
        await calls.call(GetCallerRequest())
    except HttpError as error:
        return error.http not in (401, 403)
    return True
