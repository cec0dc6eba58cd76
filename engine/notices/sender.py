"""The sender: a thread of its own that takes what the outbox holds to the endpoints. The policy is in delivery.

It holds nobody up: it has its own connection to the database, sends at most `notices.per_s_max` a second, and what it
does not get done waits in the outbox. A thread and no process, since all that it must not lose is in the database.
"""

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol, TypeVar

from engine.clock import ns, seconds, wall_ns
from engine.config.notices import EndpointSettings, NoticesSettings
from engine.model.notice import OPENED, PRUNE_ROWS, Backlog, DeliveryState, DeliveryUpdate, Notice, PendingDelivery
from engine.notices.attempt import AttemptResult, Outcome
from engine.notices.delivery import Delivery
from engine.notices.routing import recipients
from engine.notices.webhook import Webhook
from engine.runtime.log import logger

Result = TypeVar("Result")

_POLL_S = 1.0
_BACKLOG_S = 5.0
_PRUNE_S = 600.0
_TROUBLE_S = 5.0
_STOP_S = 5.0
_ROUTE_ROWS = 500
_NAMES_THREADS = 32
_S_PER_DAY = 86_400


class OutboxPort(Protocol):
    """The outbox of the store: engine.storage.db.outbox.Outbox."""

    def route(
        self, listeners: Callable[[Notice], Sequence[str]], now_wall_ns: int, rows_max: int, waiting_max: int
    ) -> tuple[int, int]:
        """Choose the endpoints of new notices; how many there were, and how many deliveries found no room."""

    def settle(self, marks: Sequence[DeliveryUpdate], endpoints: Collection[str]) -> list[PendingDelivery]:
        """Write down what became of parcels; then the oldest that waits for each endpoint."""

    def backlogs(self) -> dict[str, Backlog]:
        """What waits, by endpoint."""

    def delivered_openings(self) -> dict[int, str]:
        """Findings whose opening was delivered, and to whom."""

    def prune(self, now_wall_ns: int, keep_ns: int, dead_keep_ns: int) -> int:
        """Let old rows go; how many went."""


class DeliveryMetrics(Protocol):
    """Who counts: engine.metrics.Metrics."""

    def notice_ended(self, endpoint: str, outcome: str) -> None:
        """An attempt ended, or a notice was given up (`dead`)."""

    def notices_waiting(self, endpoint: str, waiting: int, oldest_s: float, circuit_open: bool) -> None:
        """What waits, as it is now."""


class Sender:
    """Sends until it is closed. `told`: hears of findings whose opening reached an endpoint; one may come again.

    What `told` raises is logged, and the findings are told once more later.
    """

    def __init__(
        self,
        box: OutboxPort,
        settings: NoticesSettings,
        told: Callable[[Mapping[int, str]], None],
        gauge: DeliveryMetrics,
    ) -> None:
        self._box = box
        self._settings = self._wanted = settings
        self._told = told
        self._gauge = gauge
        self._delivery = Delivery(settings)
        self._loop = asyncio.new_event_loop()
        self._news = asyncio.Event()
        self._stopping = False
        self._flights: set[asyncio.Task[None]] = set()
        self._marks: list[DeliveryUpdate] = []
        self._to_tell: dict[int, str] = {}
        self._look_ns = self._backlog_ns = self._prune_ns = 0
        # One thread, so that what is asked of the database is asked in order.
        self._desk = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self._thread = threading.Thread(target=self._run, name="notices", daemon=True)
        self._thread.start()

    def hint(self) -> None:
        """There may be something new in the outbox. Any thread."""
        self._call(self._wake)

    def configure(self, settings: NoticesSettings) -> None:
        """Other endpoints and times, from the next turn on. Any thread."""

        def change() -> None:
            self._wanted = settings
            self._wake()

        self._call(change)

    def close(self) -> None:
        """End. What is on the wire is given up, and sent again after the next start."""

        def stop() -> None:
            self._stopping = True
            self._wake()

        self._call(stop)
        self._thread.join(_STOP_S)

    def _call(self, what: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(what)

    def _wake(self) -> None:
        self._look_ns = 0
        self._news.set()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        # Names are looked up in threads; a server of names that hangs must not hold up the endpoints of others.
        self._loop.set_default_executor(ThreadPoolExecutor(_NAMES_THREADS, thread_name_prefix="notices"))
        try:
            self._loop.run_until_complete(self._work())
        except Exception as error:  # noqa: BLE001 (the patrol goes on without notices, and the log says so)
            logger().error("notices have stopped; restart the engine", detail=f"{type(error).__name__}: {error}")
        finally:
            self._desk.shutdown(wait=True, cancel_futures=True)
            self._loop.close()

    async def _work(self) -> None:
        async with Webhook() as webhook:
            await self._remember()
            while not self._stopping:
                self._news.clear()
                try:
                    await self._turn(webhook)
                    wait_s = self._wait_s()
                except Exception as error:  # noqa: BLE001 (the database is away, or whatever: nothing is lost by waiting)
                    logger().error("notices wait", detail=f"{type(error).__name__}: {error}")
                    wait_s = _TROUBLE_S
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), wait_s)
            for flight in self._flights:
                flight.cancel()
            await asyncio.gather(*self._flights, return_exceptions=True)
            with contextlib.suppress(Exception):
                await self._write_down()

    async def _remember(self) -> None:
        """Openings that were delivered before a crash may not have been told; who knows of them already says so."""
        with contextlib.suppress(Exception):
            self._to_tell |= await self._ask(self._box.delivered_openings)

    async def _turn(self, webhook: Webhook) -> None:
        if self._wanted is not self._settings:
            self._settings = self._wanted
            self._delivery.configure(self._settings)
        await self._write_down()
        if wall_ns() >= self._look_ns:
            self._look_ns = wall_ns() + ns(_POLL_S)
            await self._route()
            await self._fetch()
        self._start(webhook)
        await self._keep_house()

    async def _write_down(self) -> None:
        """Marks first: a parcel must not be fetched that was delivered, nor a finding told of whose mark may go."""
        while self._marks:
            marks = tuple(self._marks)
            wanted = {one.endpoint for one in marks} & set(self._delivery.wanting())
            parcels = await self._ask(partial(self._box.settle, marks, wanted))
            del self._marks[: len(marks)]
            for parcel in parcels:
                self._delivery.take(parcel)
        if self._to_tell:
            delivered, self._to_tell = self._to_tell, {}
            try:
                await asyncio.to_thread(self._told, delivered)
            except Exception:
                self._to_tell = delivered | self._to_tell
                raise

    async def _route(self) -> None:
        settings = self._settings

        def choose(notice: Notice) -> Sequence[str]:
            return recipients(settings.endpoints, notice)

        seen = _ROUTE_ROWS
        while seen == _ROUTE_ROWS and not self._stopping:
            route = partial(self._box.route, choose, wall_ns(), _ROUTE_ROWS, settings.waiting_max)
            seen, full = await self._ask(route)
            if full:
                logger().warning("notices given up, too many wait", reason="queue_full", number=full)

    async def _fetch(self) -> None:
        """What waits for endpoints that have nothing at their head; not what was delivered and is not marked yet."""
        wanted = set(self._delivery.wanting()) - {one.endpoint for one in self._marks}
        if wanted:
            for parcel in await self._ask(partial(self._box.settle, (), wanted)):
                self._delivery.take(parcel)

    def _start(self, webhook: Webhook) -> None:
        due = self._delivery.due(wall_ns())
        for mark in due.given_up:
            self._note(mark)
        endpoints = {one.name: one for one in self._settings.endpoints}
        for parcel in due.send:
            flight = self._loop.create_task(self._fly(webhook, endpoints[parcel.endpoint], parcel))
            self._flights.add(flight)
            flight.add_done_callback(self._flights.discard)

    async def _fly(self, webhook: Webhook, endpoint: EndpointSettings, parcel: PendingDelivery) -> None:
        try:
            answer = await webhook.send(endpoint, parcel.notice, self._settings.source, wall_ns())
        except Exception as error:  # noqa: BLE001 (a mistake of ours is one endpoint's failure, and is tried again)
            answer = AttemptResult(Outcome.INTERNAL, type(error).__name__)
            logger().error("notice not sent", endpoint=endpoint.name, detail=f"{type(error).__name__}: {error}")
        mark = self._delivery.ended(endpoint.name, answer, wall_ns(), random.random())  # noqa: S311 (spreads load)
        self._gauge.notice_ended(endpoint.name, answer.outcome)
        if mark.state == DeliveryState.DELIVERED and parcel.notice.kind == OPENED:
            self._to_tell[parcel.notice.finding_id] = endpoint.name
        self._note(mark)

    def _note(self, mark: DeliveryUpdate) -> None:
        self._marks.append(mark)
        self._news.set()
        if mark.state == DeliveryState.DEAD:
            self._gauge.notice_ended(mark.endpoint, mark.state)
            logger().warning("notice given up", notice=f"{mark.endpoint}/{mark.seq}", detail=mark.last_error)

    async def _keep_house(self) -> None:
        now_ns, settings = wall_ns(), self._settings
        if now_ns >= self._backlog_ns:
            self._backlog_ns = now_ns + ns(_BACKLOG_S)
            backlogs = await self._ask(self._box.backlogs)
            shut = self._delivery.circuits_open()
            for endpoint in settings.endpoints:
                one = backlogs.get(endpoint.name, Backlog())
                oldest_s = max(0.0, seconds(now_ns - one.oldest_wall_ns)) if one.waiting else 0.0
                self._gauge.notices_waiting(endpoint.name, one.waiting, oldest_s, endpoint.name in shut)
        if now_ns >= self._prune_ns:
            keep_ns, dead_keep_ns = (ns(days * _S_PER_DAY) for days in (settings.keep_days, settings.dead_keep_days))
            gone = await self._ask(partial(self._box.prune, now_ns, keep_ns, dead_keep_ns))
            # Small steps, one a turn: the writer of the verdicts waits for none of them.
            self._prune_ns = now_ns + ns(_POLL_S if gone >= PRUNE_ROWS else _PRUNE_S)

    def _wait_s(self) -> float:
        if self._marks:
            return 0.0
        now_ns = wall_ns()
        wakeup_ns = self._delivery.next_wakeup_ns(now_ns)
        return _POLL_S if wakeup_ns is None else min(_POLL_S, max(0.001, seconds(wakeup_ns - now_ns)))

    async def _ask(self, question: Callable[[], Result]) -> Result:
        return await self._loop.run_in_executor(self._desk, question)
