"""Sends the notices in the outbox to the endpoints, in a thread of its own. The policy is in delivery.

It does not slow down the patrol: it has its own connection to the database, sends at most `notices.per_s_max` a second,
and what it has not sent yet waits in the outbox. A thread is enough, since nothing that must not be lost is in memory.
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
from engine.notices.webhook import IsRefused, Webhook
from engine.runtime.log import logger

Result = TypeVar("Result")
OnAttempt = Callable[[Notice, str, Outcome, DeliveryState], None]

_POLL_S = 1.0
_BACKLOG_S = 5.0
_PRUNE_S = 600.0
_RETRY_S = 5.0
_STOP_S = 5.0
_ROUTE_ROWS = 500
_DNS_THREADS = 32
_S_PER_DAY = 86_400


class OutboxPort(Protocol):
    """The outbox of the store: engine.storage.db.outbox.Outbox. Every method raises if the database is away."""

    def route(
        self, recipients: Callable[[Notice], Sequence[str]], now_wall_ns: int, rows_max: int, waiting_max: int
    ) -> tuple[int, int]:
        """Create the deliveries of new notices, of at most `rows_max`; `recipients` names the endpoints of each.

        Returns the number of notices processed, and the number of deliveries given up because `waiting_max` of their
        endpoint was exceeded.
        """

    def record_and_fetch(self, updates: Sequence[DeliveryUpdate], endpoints: Collection[str]) -> list[PendingDelivery]:
        """Store the updates; then return the oldest waiting delivery of each of these endpoints."""

    def backlogs(self) -> dict[str, Backlog]:
        """Return the backlog by endpoint."""

    def delivered_openings(self) -> dict[int, str]:
        """Return the ids of findings whose opening was delivered, with the endpoint it was delivered to."""

    def prune(self, now_wall_ns: int, keep_ns: int, dead_keep_ns: int) -> int:
        """Delete old rows, a limited number at a time; return how many were deleted."""


class DeliveryMetrics(Protocol):
    """The metrics of deliveries: engine.metrics.Metrics."""

    def notice_endpoint(self, endpoint: str) -> None:
        """Show the counters of an endpoint from now on."""

    def notice_ended(self, endpoint: str, outcome: str) -> None:
        """Count an attempt that ended, or a delivery that was given up (`dead`)."""

    def notices_waiting(self, endpoint: str, waiting: int, oldest_s: float, circuit_open: bool) -> None:
        """Set the number of waiting deliveries and the age of the oldest, as they are now."""


class Sender:
    """Sends notices in a thread of its own, from `start` to `close`.

    `on_openings_delivered`: called with the ids of findings whose opening was delivered, and the endpoint. A finding
    may be reported more than once. If the call raises, that is logged, and the same findings are reported again later.
    `is_refused`: which addresses no notice is sent to, as for Webhook. `on_attempt`: called in the sender's thread with
    a notice, its endpoint, the outcome, and what becomes of the delivery, after the first attempt and after the last.
    """

    def __init__(
        self,
        outbox: OutboxPort,
        settings: NoticesSettings,
        on_openings_delivered: Callable[[Mapping[int, str]], None],
        metrics: DeliveryMetrics,
        is_refused: IsRefused,
        on_attempt: OnAttempt = lambda *_: None,
    ) -> None:
        self._outbox = outbox
        self._is_refused = is_refused
        self._on_attempt = on_attempt
        self._settings = self._new_settings = settings
        self._on_openings_delivered = on_openings_delivered
        self._metrics = metrics
        self._delivery = Delivery(settings)
        self._loop = asyncio.new_event_loop()
        self._wakeup = asyncio.Event()
        self._stopping = False
        self._attempts: set[asyncio.Task[None]] = set()
        self._updates: list[DeliveryUpdate] = []
        self._unreported_openings: dict[int, str] = {}
        self._next_poll_ns = self._next_backlog_ns = self._next_prune_ns = 0
        # One thread, so that the calls to the database are made in order.
        self._outbox_executor = ThreadPoolExecutor(1, thread_name_prefix="outbox")
        self._thread = threading.Thread(target=self._run, name="notices", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._show_endpoints()
        self._thread.start()

    def wake(self) -> None:
        """Look into the outbox now: there may be something new. Any thread."""
        self._call(self._poll_now)

    def configure(self, settings: NoticesSettings) -> None:
        """Apply new settings at the next turn. Any thread."""

        def change() -> None:
            self._new_settings = settings
            self._poll_now()

        self._call(change)

    def close(self) -> None:
        """Stop. Attempts in flight are cancelled, and repeated after the next start."""

        def stop() -> None:
            self._stopping = True
            self._poll_now()

        self._call(stop)
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def _call(self, callback: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(callback)

    def _poll_now(self) -> None:
        self._next_poll_ns = 0
        self._wakeup.set()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        # Host names are resolved in threads; a name server that hangs must not hold up the other endpoints.
        self._loop.set_default_executor(ThreadPoolExecutor(_DNS_THREADS, thread_name_prefix="notices"))
        try:
            self._loop.run_until_complete(self._work())
        except Exception as error:  # noqa: BLE001 (the patrol goes on without notices, and the log says so)
            logger().error("notices have stopped; restart the engine", detail=f"{type(error).__name__}: {error}")
        finally:
            self._outbox_executor.shutdown(wait=True, cancel_futures=True)
            self._loop.close()

    async def _work(self) -> None:
        async with Webhook(self._is_refused) as webhook:
            await self._load_delivered_openings()
            while not self._stopping:
                self._wakeup.clear()
                try:
                    await self._turn(webhook)
                    wait_s = self._wait_s()
                except Exception as error:  # noqa: BLE001 (the database is away, or whatever: nothing is lost by waiting)
                    logger().error("notices wait", detail=f"{type(error).__name__}: {error}")
                    wait_s = _RETRY_S
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wakeup.wait(), wait_s)
            for attempt in self._attempts:
                attempt.cancel()
            await asyncio.gather(*self._attempts, return_exceptions=True)
            with contextlib.suppress(Exception):
                await self._flush()

    async def _load_delivered_openings(self) -> None:
        """Report all delivered openings again: a crash may have come before they were reported."""
        with contextlib.suppress(Exception):
            self._unreported_openings |= await self._query(self._outbox.delivered_openings)

    async def _turn(self, webhook: Webhook) -> None:
        if self._new_settings is not self._settings:
            self._settings = self._new_settings
            self._delivery.configure(self._settings)
            self._show_endpoints()
        await self._flush()
        if wall_ns() >= self._next_poll_ns:
            self._next_poll_ns = wall_ns() + ns(_POLL_S)
            await self._route()
            await self._fetch()
        self._start_due(webhook)
        await self._maintain()

    def _show_endpoints(self) -> None:
        for endpoint in self._settings.endpoints:
            self._metrics.notice_endpoint(endpoint.name)

    async def _flush(self) -> None:
        """Store updates, then report openings.

        In this order: a delivery must not be fetched again before its update is stored, and a finding must not be
        reported while the update of its delivery could still be lost.
        """
        while self._updates:
            updates = tuple(self._updates)
            endpoints = {update.endpoint for update in updates} & set(self._delivery.endpoints_without_head())
            heads = await self._query(partial(self._outbox.record_and_fetch, updates, endpoints))
            del self._updates[: len(updates)]
            for head in heads:
                self._delivery.set_head(head)
        if self._unreported_openings:
            delivered, self._unreported_openings = self._unreported_openings, {}
            try:
                await asyncio.to_thread(self._on_openings_delivered, delivered)
            except Exception:
                self._unreported_openings = delivered | self._unreported_openings
                raise

    async def _route(self) -> None:
        settings = self._settings

        def recipients_of(notice: Notice) -> Sequence[str]:
            return recipients(settings.endpoints, notice)

        routed = _ROUTE_ROWS
        while routed == _ROUTE_ROWS and not self._stopping:
            route = partial(self._outbox.route, recipients_of, wall_ns(), _ROUTE_ROWS, settings.waiting_max)
            routed, given_up = await self._query(route)
            if given_up:
                logger().warning("notices given up, too many wait", reason="queue_full", number=given_up)

    async def _fetch(self) -> None:
        """Fetch heads for the endpoints without one, except those with an update that is not stored yet."""
        endpoints = set(self._delivery.endpoints_without_head()) - {update.endpoint for update in self._updates}
        if endpoints:
            for head in await self._query(partial(self._outbox.record_and_fetch, (), endpoints)):
                self._delivery.set_head(head)

    def _start_due(self, webhook: Webhook) -> None:
        due = self._delivery.due(wall_ns())
        for update in due.given_up:
            self._add_update(update)
        endpoints = {endpoint.name: endpoint for endpoint in self._settings.endpoints}
        for delivery in due.send:
            attempt = self._loop.create_task(self._attempt(webhook, endpoints[delivery.endpoint], delivery))
            self._attempts.add(attempt)
            attempt.add_done_callback(self._attempts.discard)

    async def _attempt(self, webhook: Webhook, endpoint: EndpointSettings, delivery: PendingDelivery) -> None:
        try:
            result = await webhook.send(endpoint, delivery.notice, self._settings.source, wall_ns())
        except Exception as error:  # noqa: BLE001 (a bug of ours is one endpoint's failure, and is retried)
            result = AttemptResult(Outcome.INTERNAL, type(error).__name__)
            logger().error("notice not sent", endpoint=endpoint.name, detail=f"{type(error).__name__}: {error}")
        jitter = random.random()  # noqa: S311 (spreads load)
        update = self._delivery.complete(endpoint.name, result, wall_ns(), jitter)
        self._metrics.notice_ended(endpoint.name, result.outcome)
        if update.state == DeliveryState.DELIVERED and delivery.notice.kind == OPENED:
            self._unreported_openings[delivery.notice.finding_id] = endpoint.name
        self._add_update(update)
        if not delivery.attempts or update.state is not DeliveryState.WAITING:
            self._on_attempt(delivery.notice, endpoint.name, result.outcome, update.state)

    def _add_update(self, update: DeliveryUpdate) -> None:
        self._updates.append(update)
        self._wakeup.set()
        if update.state == DeliveryState.DEAD:
            self._metrics.notice_ended(update.endpoint, update.state)
            logger().warning("notice given up", notice=f"{update.endpoint}/{update.seq}", detail=update.last_error)

    async def _maintain(self) -> None:
        """Refresh the metrics of the backlog, and prune the outbox, each at its interval."""
        now_ns, settings = wall_ns(), self._settings
        if now_ns >= self._next_backlog_ns:
            self._next_backlog_ns = now_ns + ns(_BACKLOG_S)
            backlogs = await self._query(self._outbox.backlogs)
            circuits_open = self._delivery.circuits_open()
            for endpoint in settings.endpoints:
                backlog = backlogs.get(endpoint.name, Backlog())
                oldest_s = max(0.0, seconds(now_ns - backlog.oldest_wall_ns)) if backlog.waiting else 0.0
                is_open = endpoint.name in circuits_open
                self._metrics.notices_waiting(endpoint.name, backlog.waiting, oldest_s, is_open)
        if now_ns >= self._next_prune_ns:
            keep_ns, dead_keep_ns = (ns(days * _S_PER_DAY) for days in (settings.keep_days, settings.dead_keep_days))
            pruned = await self._query(partial(self._outbox.prune, now_ns, keep_ns, dead_keep_ns))
            # Small steps, one per turn, so that the writer of the verdicts never waits long.
            self._next_prune_ns = now_ns + ns(_POLL_S if pruned >= PRUNE_ROWS else _PRUNE_S)

    def _wait_s(self) -> float:
        if self._updates:
            return 0.0
        now_ns = wall_ns()
        wakeup_ns = self._delivery.next_wakeup_ns(now_ns)
        return _POLL_S if wakeup_ns is None else min(_POLL_S, max(0.001, seconds(wakeup_ns - now_ns)))

    async def _query(self, call: Callable[[], Result]) -> Result:
        return await self._loop.run_in_executor(self._outbox_executor, call)
