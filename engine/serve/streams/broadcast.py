"""Sends the events of a log to all who watch it.

A watcher has no queue; it is a place in the log. It reads the log until it meets the ring of the latest events, and
reads the ring from then on. So there is neither a gap nor a duplicate between the two, wherever it begins. Events are
encoded once for all watchers. A watcher that the ring overtakes is cut; it resumes from its place with a new call.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

from engine.errors import ErrorReason, UnavailableError
from engine.model.verdict import View
from engine.serve.status import LostError, TooManyError, TooSlowError
from engine.serve.streams.event_ring import SPAN_EVENTS_MAX, Event, EventFilter, EventRing, RingEntry, Sequenced, Span

HEARTBEAT_S = 10.0
"""A watcher that has received nothing for so long gets its resume token."""
_GROUP = 4
_PAUSE_S = 0.003
"""So many watchers are woken at once, which is less than a millisecond of work, and then other calls run for so long.
The last of two hundred watchers receives an event 0.2 s later."""

EventOut = TypeVar("EventOut", bound=Sequenced, covariant=True)


class EventLog(Protocol[EventOut]):
    """All stored events, in order."""

    async def span(self) -> tuple[int, int]:
        """(floor, head): rows with floor < seq <= head are stored; head is the latest `seq` that was ever given."""

    async def after(self, seq: int, limit: int) -> Sequence[EventOut]:
        """The first rows with a greater `seq`, at most `limit`."""


class Broadcast(Generic[Event]):
    """All watchers of one log; see EventRing for `encode` and `encode_token`. `watchers`: how many there are.

    When events are published, a round begins: all watchers that wait are woken, a few at a time, and all of them
    receive the events up to the same number, so that those woken late share their bytes with those woken early.
    Events that are published during a round are sent in the next.
    """

    def __init__(
        self,
        log: EventLog[Event],
        encode: Callable[[Event, View], bytes],
        encode_token: Callable[[str], bytes],
        ring_max: int,
        watchers_max: int,
    ) -> None:
        self._log = log
        self._ring = EventRing(encode, encode_token, ring_max)
        self._watchers_max = watchers_max
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._waiting: dict[asyncio.Future[None], None] = {}  # in the order they came
        self._due: deque[asyncio.Future[None]] = deque()  # those that this round has still to wake
        self._rounds = 0
        self._until: int | None = None  # this round sends the entries below this number; None: there is no round
        self.watchers = 0

    def publish(self, events: Sequence[Event]) -> None:
        """Send events that were stored, in the order of the log. May be called from any thread."""
        if not events:
            return
        self._ring.append(events)
        self._wake_from_any_thread()

    def close(self) -> None:
        """End all watches. May be called from any thread."""
        self._closed = True
        self._wake_from_any_thread()

    async def head(self) -> int:
        """The `seq` after which a watch begins that begins now."""
        last = self._ring.last_seq()
        return (await self._log.span())[1] if last < 0 else last

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Count the caller as a watcher meanwhile. Raises TooManyError if there are `watchers_max` already."""
        if self.watchers >= self._watchers_max:
            raise TooManyError(
                f"{self._watchers_max} callers watch already, which is serve.watchers_max; end one, or raise it",
                metadata={"limit": self._watchers_max},
            )
        self.watchers += 1
        try:
            yield
        finally:
            self.watchers -= 1

    async def messages(self, after: int, event_filter: EventFilter[Event]) -> AsyncGenerator[bytes, None]:
        """Yield the encoded events after `after` that a filter lets through, with the resume token behind them.

        If no event matches for HEARTBEAT_S, the resume token comes alone. Raises TooSlowError if the ring has
        overtaken the watcher, LostError if the log no longer holds its place, WireError when the engine stops.
        """
        now_s = asyncio.get_running_loop().time
        sent_s = now_s()
        seq = after
        try:
            async for span in self._spans(after):
                seq = span.seq
                message = self._ring.joined(span, event_filter)
                if not message and now_s() - sent_s >= HEARTBEAT_S:
                    message = self._ring.token_message(seq, event_filter)
                if message:
                    sent_s = now_s()
                    yield message
        except TooSlowError as error:
            raise TooSlowError(str(error), event_filter.resume_token(seq)) from error

    async def events(self, after: int) -> AsyncGenerator[Sequence[Event], None]:
        """Yield all events after `after` as values; empty ones are heartbeats. Raises as `messages` does."""
        async for span in self._spans(after):
            yield [entry.event for entry in span.entries]

    async def _spans(self, after: int) -> AsyncGenerator[Span[Event], None]:
        """Yield spans of events without a gap; empty ones are heartbeats."""
        self._loop = asyncio.get_running_loop()
        seq = after
        floor, head = await self._log.span()
        if not floor <= seq <= max(head, self._ring.last_seq()):
            raise LostError("the place of the resume token is not in the log; begin without resume_token")
        number = -1
        while not self._closed:
            rounds = self._rounds
            if number < 0:
                number = self._ring.number_after(seq)
            if number < 0:
                # The ring no longer holds the place, or nothing was published since the start: read the log.
                rows = await self._log.after(seq, SPAN_EVENTS_MAX)
                if rows:
                    seq = rows[-1].seq
                    yield Span([RingEntry(row) for row in rows], seq)
                    continue
                if self._ring.floor > seq:
                    raise LostError(
                        "the log no longer has what came after the resume token; begin without resume_token"
                    )
                if self._rounds != rounds:
                    continue  # events were published while the log was read, and this watcher was not woken
            else:
                span = self._ring.span(number, self._until)
                if span is not None and span.entries[0].event.seq <= seq:
                    # Read from the log before it was published: what comes after it in the ring is next.
                    number = self._ring.number_after(seq)
                    continue
                if span is not None:
                    number += len(span.entries)
                    seq = span.seq
                    yield span
                    continue
            if not await self._woken():
                yield Span((), seq)
        raise UnavailableError(
            "the engine stops; watch again with the last resume_token", reason=ErrorReason.ENGINE_STOPPING
        )

    async def _woken(self) -> bool:
        """Wait for this watcher's turn in a round; False if HEARTBEAT_S went by without one."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting[turn] = None
        rounds = self._rounds
        timer = loop.call_later(HEARTBEAT_S, _resolve, turn)
        try:
            await turn
        finally:
            timer.cancel()
            self._waiting.pop(turn, None)
        return self._rounds != rounds

    def _wake_from_any_thread(self) -> None:
        loop = self._loop
        if loop is not None:
            try:
                loop.call_soon_threadsafe(self._wake)
            except RuntimeError:
                pass  # the server's loop is closed, and the watchers with it

    def _wake(self) -> None:
        if self._closed:
            for turn in (*self._due, *self._waiting):
                _resolve(turn)
        elif self._until is None:
            self._begin_round()

    def _begin_round(self) -> None:
        """Make all that wait now due; they receive what is published now, a few watchers at a time."""
        self._rounds += 1
        self._until = self._ring.next_number
        self._ring.forget_spans()
        self._due.extend(self._waiting)
        self._waiting.clear()
        self._wake_group()

    def _wake_group(self) -> None:
        woken = 0
        while self._due and woken < _GROUP:
            woken += _resolve(self._due.popleft())
        if self._loop is None or self._closed:
            return
        if self._due:
            self._loop.call_later(_PAUSE_S, self._wake_group)
        elif self._until != self._ring.next_number:
            self._loop.call_later(_PAUSE_S, self._begin_round)
        else:
            self._until = None


def _resolve(turn: "asyncio.Future[None]") -> bool:
    """Wake a watcher; False if it no longer waits, because its heartbeat was due or its caller went away."""
    if turn.done():
        return False
    turn.set_result(None)
    return True
