"""Checks a camera now, and tells step by step how far the visit is; without script the reply waits for its end."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any

from starlette.responses import Response

from engine.web.console import names
from engine.web.console.console import Console, Handler
from engine.web.console.page import Page
from engine.web.console.screens.cameras.actions import known
from engine.web.console.templating import render
from engine.web.errors import HttpError, code_name, refusal
from engine.web.replies import StreamReply
from patrol.v1.patrol_pb2 import CheckNowRequest, CheckOutcome
from patrol.v1.scheduler_pb2 import GetCameraPlanRequest

LINES = "application/x-ndjson"
"""What a script asks for to be told each step: one JSON object a line."""
OUTCOMES = tuple(name.removeprefix("CHECK_OUTCOME_").lower() for name in CheckOutcome.keys()[1:])
STEPS = ("ordered", "waiting", "visiting", "judged")
CHECK_S = 60.0
"""How long a check is waited for; the visit takes place even if it comes later."""
_POLL_S = 0.5
_MARGIN_S = 2.0
_IN_FLIGHT_MAX = 64
_OF_SESSION_MAX = 4
_PLACES = {"ready": "ready", "uplink": "uplink", "host": "host", "due": "ready", "idle": "ready"}
"""What a camera waits for, by its place in the scheduler."""


def check(console: Console) -> Handler:
    """Return the handler of POST /camera/check, which holds how many checks are in flight."""
    in_flight: Counter[str] = Counter()
    cameras: set[tuple[str, str]] = set()

    async def handle(page: Page) -> Response:
        name = names.asked_camera(page.form)
        await known(page, name)
        owner = page.session.token if page.session else ""
        if (owner, name) in cameras:
            raise _busy("a check of this camera is in progress already; wait for its result")
        if in_flight.total() >= _IN_FLIGHT_MAX or in_flight[owner] >= _OF_SESSION_MAX:
            raise _busy("too many checks are in progress; wait until one has ended")
        in_flight[owner] += 1
        cameras.add((owner, name))

        def end() -> None:
            in_flight[owner] -= 1
            if not in_flight[owner]:
                del in_flight[owner]
            cameras.discard((owner, name))

        running = _Check(page, name, console.closing, end)
        try:
            await running.begin()
        except BaseException:
            await running.close()
            raise
        if LINES in page.request.headers.get("accept", ""):
            headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
            return StreamReply(running.lines(), LINES, headers)
        async for _ in running.lines():
            pass
        return page.go_to("/camera", id=names.camera_id(name), checked=running.outcome)

    return handle


class _Check:
    """One check in progress. `end`: called once, when it is over or nobody waits for it any more."""

    def __init__(self, page: Page, name: str, closing: "asyncio.Future[None]", end: Any) -> None:
        self._page = page
        self._name = name
        self._closing = closing
        self._end = end
        self._replies = page.engine.stream(CheckNowRequest(cameras=[name]), CHECK_S)
        self._next: asyncio.Future[Any] = asyncio.ensure_future(anext(self._replies, None))
        # A caller may leave before the first line; nothing would end the check then.
        self._late = asyncio.get_running_loop().call_later(CHECK_S + 2 * _MARGIN_S, self._end_once)
        self.outcome = "pending"

    async def begin(self) -> None:
        """Order the visit. Raises HttpError if the engine refuses it."""
        await asyncio.wait({self._next, self._closing}, timeout=_POLL_S, return_when=asyncio.FIRST_COMPLETED)
        if self._next.done():
            self._next.result()

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """Yield a line for each new step, the last with the result, and end the check."""
        told = ("ordered", "")
        try:
            yield self._line("ordered")
            async with asyncio.timeout(CHECK_S + _MARGIN_S):
                while not self._next.done() and not self._closing.done():
                    step = await self._step()
                    if step != told and not self._next.done():
                        told = step
                        yield self._line(*told)
                    await asyncio.wait({self._next, self._closing}, timeout=_POLL_S)
            yield self._result()
        except TimeoutError:
            yield self._line("judged", outcome=self.outcome, last=True)
        except HttpError as error:
            yield self._line("failed", message=error.status.message, last=True)
        finally:
            await self.close()

    async def close(self) -> None:
        """End the call; the visit takes place all the same. A second time does nothing."""
        self._next.cancel()
        with contextlib.suppress(asyncio.CancelledError, HttpError):
            await self._next
        await self._replies.aclose()
        self._late.cancel()
        self._end_once()

    def _end_once(self) -> None:
        end, self._end = self._end, lambda: None
        end()

    async def _step(self) -> tuple[str, str]:
        """Ask how far the visit is: waiting for what, or visiting."""
        try:
            plan = await self._page.call(GetCameraPlanRequest(camera=self._name), _MARGIN_S)
        except HttpError as error:
            if code_name(error.status) == "NOT_FOUND":  # the camera was removed; the call says so in a moment
                return "ordered", ""
            raise
        return ("visiting", "") if plan.place == "flight" else ("waiting", _PLACES.get(plan.place, "ready"))

    def _result(self) -> bytes:
        reply = self._next.result() if self._next.done() else None
        if reply is None:
            return self._line("judged", outcome=self.outcome, last=True)
        self.outcome = CheckOutcome.Name(reply.outcome).removeprefix("CHECK_OUTCOME_").lower()
        verdict = reply.verdict if reply.HasField("verdict") else None
        return self._line("judged", outcome=self.outcome, verdict=verdict, last=True)

    def _line(self, step: str, waits_for: str = "", *, last: bool = False, **values: Any) -> bytes:
        context = {"outcome": "", "verdict": None, "message": "", **values}
        context |= {"page": self._page, "f": self._page.formats(), "step": step, "waits_for": waits_for, "steps": STEPS}
        html = render("camera_check.html.jinja", self._page.language, context)
        return json.dumps({"step": step, "last": last, "html": html}, ensure_ascii=False).encode() + b"\n"


def _busy(message: str) -> HttpError:
    return refusal("RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED", message, retry_s=1)
