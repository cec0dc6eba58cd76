"""Live pages share one watch of the engine, get each second once, and lose nothing that they are not told of."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, cast

import orjson
import pytest

from engine.metrics.web import WebMetrics
from engine.web.console import live_verdicts
from engine.web.console.calls import EngineCalls
from engine.web.console.live_verdicts import PAGES_MAX, LiveVerdicts, Watched
from engine.web.errors import HttpError, refusal
from patrol.v1.patrol_pb2 import WatchVerdictsRequest, WatchVerdictsResponse
from patrol.v1.verdicts_pb2 import FaultKind, FaultSeverity, Verdict, VerdictState

EVERYWHERE = Watched("", "", "")
BATCH_S = 0.02


class Engine:
    """What the console's calls reach: it hands out replies to each watch, and counts them."""

    def __init__(self) -> None:
        self.watches: list[WatchVerdictsRequest] = []
        self.open = 0
        self.revoked: set[str] = set()
        self._queues: list[asyncio.Queue[WatchVerdictsResponse | HttpError]] = []

    def calls(self, token: str = "t") -> EngineCalls:
        return cast(EngineCalls, Calls(self, token))

    async def watch(self, request: WatchVerdictsRequest, token: str) -> AsyncGenerator[Any, None]:
        if token in self.revoked:
            raise refusal("UNAUTHENTICATED", "X", "revoked")
        self.watches.append(request)
        queue: asyncio.Queue[WatchVerdictsResponse | HttpError] = asyncio.Queue()
        self._queues.append(queue)
        self.open += 1
        try:
            while True:
                reply = await queue.get()
                if isinstance(reply, HttpError):
                    raise reply
                yield reply
        finally:
            self.open -= 1
            self._queues.remove(queue)

    def tell(self, token: str, *cameras: str) -> None:
        verdicts = [
            Verdict(
                name=f"cameras/{camera}/verdicts/{number}",
                state=VerdictState.VERDICT_STATE_FAULT,
                announced=VerdictState.VERDICT_STATE_FAULT,
                announced_kinds=[FaultKind.FAULT_KIND_BLURRED],
                severity=FaultSeverity.FAULT_SEVERITY_BLIND,
            )
            for number, camera in enumerate(cameras, 1)
        ]
        for queue in self._queues:
            queue.put_nowait(WatchVerdictsResponse(verdicts=verdicts, resume_token=token))

    def fail(self, code: str) -> None:
        for queue in self._queues:
            queue.put_nowait(refusal(code, "X", "told so"))


class Calls:
    """The calls of one page."""

    def __init__(self, engine: Engine, token: str) -> None:
        self._engine = engine
        self._token = token

    def stream(self, request: WatchVerdictsRequest) -> AsyncGenerator[Any, None]:
        return self._engine.watch(request, self._token)

    async def call(self, _: Any) -> None:
        if self._token in self._engine.revoked:
            raise refusal("UNAUTHENTICATED", "X", "revoked")


class Client:
    """A page in a browser."""

    def __init__(self, live: LiveVerdicts, calls: EngineCalls, after: str = "", language: str = "en") -> None:
        self._events = live.events(EVERYWHERE, calls, language, after)

    async def next(self) -> tuple[str, str, Any]:
        """Return name, id and data of the next event."""
        while True:
            fields = dict(line.split(": ", 1) for line in (await self.raw()).decode().strip().split("\n"))
            if "event" in fields:
                return fields["event"], fields.get("id", ""), orjson.loads(fields["data"])

    async def raw(self) -> bytes:
        """Return what comes next as bytes."""
        async with asyncio.timeout(10):
            return await anext(self._events)

    async def leave(self) -> None:
        await self._events.aclose()


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


@pytest.fixture(autouse=True)
def short_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_verdicts, "TICK_S", BATCH_S)
    monkeypatch.setattr(live_verdicts, "_AGAIN_S", (BATCH_S,))


def made() -> tuple[Engine, LiveVerdicts, WebMetrics]:
    metrics = WebMetrics()
    return Engine(), LiveVerdicts(asyncio.get_running_loop().create_future(), metrics), metrics


async def begun(live: LiveVerdicts, calls: EngineCalls, language: str = "en") -> Client:
    client = Client(live, calls, language=language)
    assert (await client.next())[0] == "begin"
    return client


def test_all_pages_share_a_watch_and_an_event_is_written_once_for_each_language() -> None:
    async def scenario() -> None:
        engine, live, metrics = made()
        pages = [await begun(live, engine.calls(str(n))) for n in range(5)] + [await begun(live, engine.calls(), "zh")]
        await asyncio.sleep(BATCH_S)
        engine.tell("t1", "a")
        engine.tell("t2", "b", "a")
        got = [await page.raw() for page in pages]
        assert len(engine.watches) == 1
        assert len({id(event) for event in got[:5]}) == 1
        rows = orjson.loads(got[0].split(b"data: ")[1])
        assert [(row["id"], row["word"], row["what"], row["rank"]) for row in rows] == [
            ("a", "fault", "blurred · blind", 7), ("b", "fault", "blurred · blind", 7)
        ], "the newest of each camera"  # fmt: skip
        assert orjson.loads(got[5].split(b"data: ")[1])[0]["word"] == "故障"
        assert b"patrol_web_live_pages 6.0" in metrics.render()
        for page in pages:
            await page.leave()
        await asyncio.sleep(BATCH_S)
        assert engine.open == 0, "the watch ends with the last page"
        assert b"patrol_web_live_pages 0.0" in metrics.render()

    run(scenario())


def test_a_page_that_comes_back_gets_what_it_missed_and_is_told_if_that_is_gone() -> None:
    async def scenario() -> None:
        engine, live, _ = made()
        stays, leaves = await begun(live, engine.calls()), await begun(live, engine.calls())
        await asyncio.sleep(BATCH_S)
        engine.tell("t1", "a")
        _, token, _ = await leaves.next()
        await leaves.leave()
        engine.tell("t2", "b")
        while (await stays.next())[1] != "t2":
            pass
        back = Client(live, engine.calls(), after=token)
        name, token, rows = await back.next()
        assert (name, token, [row["id"] for row in rows]) == ("verdicts", "t2", ["b"])
        await back.leave()
        late = Client(live, engine.calls(), after="long ago")
        assert (await late.next())[:2] == ("begin", "t2")
        await late.leave()
        await stays.leave()

    run(scenario())


def test_an_engine_that_goes_away_is_told_and_the_watch_resumes_where_it_was() -> None:
    async def scenario() -> None:
        engine, live, _ = made()
        page = await begun(live, engine.calls())
        await asyncio.sleep(BATCH_S)
        engine.tell("t1", "a")
        assert (await page.next())[1] == "t1"
        engine.fail("UNAVAILABLE")
        while len(engine.watches) < 2:
            await asyncio.sleep(BATCH_S)
        engine.fail("UNAVAILABLE")
        assert (await page.next())[0] == "lost"
        while len(engine.watches) < 3:
            await asyncio.sleep(BATCH_S)
        assert engine.watches[-1].resume_token == "t1"
        engine.tell("t2")
        assert await page.next() == ("verdicts", "t2", [])
        engine.fail("OUT_OF_RANGE")
        assert (await page.next())[0] == "begin", "what is lost is loaded again"
        while engine.watches[-1].resume_token:
            await asyncio.sleep(BATCH_S)
        await page.leave()

    run(scenario())


def test_a_token_that_ends_ends_its_page_and_no_other() -> None:
    async def scenario() -> None:
        engine, live, _ = made()
        revoked, other = await begun(live, engine.calls("old")), await begun(live, engine.calls("good"))
        await asyncio.sleep(BATCH_S)
        engine.revoked.add("old")
        engine.fail("UNAUTHENTICATED")
        while (await revoked.next())[0] != "signin":
            pass
        with pytest.raises(StopAsyncIteration):
            await revoked.raw()
        while not engine.open:
            await asyncio.sleep(BATCH_S)
        engine.tell("t1", "a")
        while (await other.next())[:2] != ("verdicts", "t1"):
            pass
        await other.leave()

    run(scenario())


def test_a_storm_has_pages_load_again_instead() -> None:
    async def scenario() -> None:
        engine, live, _ = made()
        page = await begun(live, engine.calls())
        await asyncio.sleep(BATCH_S)
        engine.tell("t1", *(f"c{n}" for n in range(2500)))
        assert (await page.next())[:2] == ("begin", "t1")
        await page.leave()

    run(scenario())


def test_there_are_so_many_live_pages_and_no_more() -> None:
    async def scenario() -> None:
        engine, live, metrics = made()
        pages = [await begun(live, engine.calls()) for _ in range(PAGES_MAX)]
        with pytest.raises(HttpError, match="200 live pages"):
            live.check_room()
        assert b'patrol_web_refused_total{kind="streams"} 1.0' in metrics.render()
        await pages.pop().leave()
        live.check_room()
        for page in pages:
            await page.leave()

    run(scenario())
