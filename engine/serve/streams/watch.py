"""News to those who watch: one ring of what was stored last, shared by all watchers, and the log behind it.

A watcher is a place in the log, no queue: it reads the log until it meets the ring, and the ring from then on, so that
there is neither a gap nor a duplicate between the two, wherever it begins. What is news is coded once for all watchers.
A watcher that the ring overtakes is cut; it goes on from its place when it comes again.
"""

import asyncio
import base64
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

from engine.errors import InvalidArgumentError, UnavailableError
from engine.serve.status import LostError, TooManyError, TooSlowError

HEARTBEAT_S = 10.0
"""A watcher that hears nothing for so long is told where it stands."""
LOG_ROWS = 500
"""Read from the log at once."""
_GROUP = 4
_PAUSE_S = 0.003
"""So many watchers take what is news at once, less than a millisecond of work, and then other calls have their turn for
so long. The last of two hundred hears it 0.2 s later."""
_SPANS_MAX = 8
_FILTERS_MAX = 64
_JOINED_BYTES_MAX = 4 * 1024 * 1024
"""Of a span so much is kept joined, for so many filters; for others it is joined for each watcher."""
_MARK = "w1:"


class Numbered(Protocol):
    """A row of a log. `seq` rises strictly in the order of the commits."""

    @property
    def seq(self) -> int:
        """Its place."""


News = TypeVar("News", bound=Numbered)
NewsIn = TypeVar("NewsIn", bound=Numbered, covariant=True)
NewsOf = TypeVar("NewsOf", bound=Numbered, contravariant=True)


class Log(Protocol[NewsIn]):
    """What is stored, in order."""

    async def span(self) -> tuple[int, int]:
        """(floor, head): rows with floor < seq <= head are kept; head is the latest that was ever given."""

    async def after(self, seq: int, limit: int) -> Sequence[NewsIn]:
        """The first rows with a greater seq, at most `limit`."""


class Wanted(Protocol[NewsOf]):
    """A filter, the caller's region within. Those who have equal ones are given the same bytes."""

    def wants(self, one: NewsOf, /) -> bool:
        """Whether this is for the watcher."""

    def __hash__(self) -> int:
        """By value."""


class _Entry(Generic[News]):
    __slots__ = ("body", "news")

    def __init__(self, news: News) -> None:
        self.news = news
        self.body: bytes | None = None


class _Span(Generic[News]):
    """Entries in a row, the place they reach, and what each filter lets through of them, joined."""

    __slots__ = ("entries", "joined", "room", "seq")

    def __init__(self, entries: Sequence[_Entry[News]], seq: int) -> None:
        self.entries = entries
        self.seq = seq
        self.joined: dict[Wanted[News], bytes] = {}
        self.room = _JOINED_BYTES_MAX


class Watch(Generic[News]):
    """All watchers of one log. `code(news)`: one serialised reply message that holds it; `mark(resume_token)`: one that
    holds a place. They can be joined."""

    def __init__(
        self,
        log: Log[News],
        code: Callable[[News], bytes],
        mark: Callable[[str], bytes],
        ring_max: int,
        watchers_max: int,
    ) -> None:
        self._log = log
        self._code = code
        self._mark = mark
        self._ring: list[_Entry[News] | None] = [None] * ring_max
        self._next = (
            0  # number of the entry to come, counted from the start of the process; its place is modulo the ring
        )
        self._floor = -1  # all that was published after this seq is in the ring; -1: nothing was published yet
        self._watchers_max = watchers_max
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._waiting: dict[asyncio.Future[None], None] = {}  # in the order they came
        self._due: deque[asyncio.Future[None]] = deque()  # those whose turn is still to come in this round
        self._rounds = 0
        self._until: int | None = None  # a round tells of the entries below this number; None: there is no round
        self._spans: dict[tuple[int, int], _Span[News]] = {}  # of this round, by first number and the one after it
        self.watchers = 0

    def publish(self, news: Sequence[News]) -> None:
        """These were stored; in order, from any thread."""
        if not news:
            return
        with self._lock:
            for one in news:
                place = self._next % len(self._ring)
                overwritten = self._ring[place]
                if overwritten is not None:
                    self._floor = overwritten.news.seq
                elif self._floor < 0:
                    self._floor = one.seq - 1
                self._ring[place] = _Entry(one)
                self._next += 1
        self._stir()

    def close(self) -> None:
        """End every watch; from any thread."""
        self._closed = True
        self._stir()

    async def head(self) -> int:
        """Where a watch that begins now begins."""
        last = self._last()
        return (await self._log.span())[1] if last < 0 else last

    @contextmanager
    def place(self) -> Iterator[None]:
        """One of `watchers_max`; raises TooManyError."""
        if self.watchers >= self._watchers_max:
            raise TooManyError(
                f"{self._watchers_max} callers watch already, which is serve.watchers_max; end one, or raise it"
            )
        self.watchers += 1
        try:
            yield
        finally:
            self.watchers -= 1

    async def bodies(self, after: int, wanted: Wanted[News]) -> AsyncGenerator[bytes, None]:
        """Coded news that a filter lets through, with the place they reach; those without news say that time goes by.

        Raises TooSlowError where the ring has overtaken the watcher, LostError where the log no longer has its place.
        """
        now_s = asyncio.get_running_loop().time
        told_s = now_s()
        async for span in self._taken(after):
            body = self._joined(span, wanted)
            if not body and now_s() - told_s >= HEARTBEAT_S:
                body = self._mark(token_of(span.seq))
            if body:
                told_s = now_s()
                yield body

    async def news(self, after: int) -> AsyncGenerator[Sequence[News], None]:
        """The same as values; nothing is left out, and empty ones say that time goes by."""
        async for span in self._taken(after):
            yield [one.news for one in span.entries]

    async def _taken(self, after: int) -> AsyncGenerator[_Span[News], None]:
        self._loop = asyncio.get_running_loop()
        seq = after
        floor, head = await self._log.span()
        if not floor <= seq <= max(head, self._last()):
            raise LostError(
                f"the place {seq} is not in the log, which goes from {floor} to {head}; begin without resume_token"
            )
        number = -1
        while not self._closed:
            rounds = self._rounds
            if number < 0:
                number = self._meet(seq)
            if number < 0:
                # No longer in the ring, or nothing was published since the start: the log has it.
                rows = await self._log.after(seq, LOG_ROWS)
                if rows:
                    seq = rows[-1].seq
                    yield _Span([_Entry(one) for one in rows], seq)
                    continue
                if self._floor > seq:
                    raise LostError(f"the log has lost what came after {seq}; begin without resume_token")
                if self._rounds != rounds:
                    continue  # while the log was read there was news, and none of it came here
            else:
                span = self._since(number, seq)
                if span is not None:
                    number += len(span.entries)
                    seq = span.seq
                    yield span
                    continue
            if not await self._told():
                yield _Span((), seq)
        raise UnavailableError("the engine stops; watch again with the last resume_token")

    async def _told(self) -> bool:
        """Wait for this watcher's turn in a round; False: there was none for so long that time went by."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting[turn] = None
        rounds = self._rounds
        timer = loop.call_later(HEARTBEAT_S, _end, turn)
        try:
            await turn
        finally:
            timer.cancel()
            self._waiting.pop(turn, None)
        return self._rounds != rounds

    def _last(self) -> int:
        with self._lock:
            latest = self._ring[(self._next - 1) % len(self._ring)]
            return -1 if latest is None else latest.news.seq

    def _meet(self, seq: int) -> int:
        """The number of the ring's first entry after `seq`; -1 if some of what came after it is no longer there."""
        with self._lock:
            if self._floor < 0 or seq < self._floor:
                return -1
            numbers = range(max(0, self._next - len(self._ring)), self._next)
            return numbers.start + bisect_right(numbers, seq, key=self._seq_at)

    def _seq_at(self, number: int) -> int:
        entry = self._ring[number % len(self._ring)]
        return -1 if entry is None else entry.news.seq

    def _since(self, number: int, seq: int) -> _Span[News] | None:
        """What there is from a number on; None: nothing. All who are at the same place share it."""
        with self._lock:
            behind = self._next - number
            if behind > len(self._ring):
                raise TooSlowError(
                    f"{behind} waited and {len(self._ring)} may (serve.watch_queue_max); read faster or narrow the "
                    "filter, and go on with the resume_token",
                    token_of(seq),
                )
            # Up to where the round tells, though more came since: so those told late share with those told early.
            end = min(self._next if self._until is None else self._until, number + LOG_ROWS)
            if end <= number:
                return None
            span = self._spans.get((number, end))
            if span is None:
                found = (self._ring[one % len(self._ring)] for one in range(number, end))
                entries = [one for one in found if one is not None]
                if len(self._spans) >= _SPANS_MAX:
                    self._spans.clear()
                span = self._spans[number, end] = _Span(entries, entries[-1].news.seq)
            return span

    def _joined(self, span: _Span[News], wanted: Wanted[News]) -> bytes:
        """What a filter lets through, with the place it reaches; empty: nothing."""
        body = span.joined.get(wanted)
        if body is None:
            parts = [self._body(one) for one in span.entries if wanted.wants(one.news)]
            body = b"".join((*parts, self._mark(token_of(span.seq)))) if parts else b""
            if len(body) <= span.room and len(span.joined) < _FILTERS_MAX:
                span.room -= len(body)
                span.joined[wanted] = body
        return body

    def _body(self, entry: _Entry[News]) -> bytes:
        if entry.body is None:
            entry.body = self._code(entry.news)
        return entry.body

    def _stir(self) -> None:
        loop = self._loop
        if loop is not None:
            try:
                loop.call_soon_threadsafe(self._wake)
            except RuntimeError:
                pass  # the server's loop is closed, and the watchers with it

    def _wake(self) -> None:
        if self._closed:
            for turn in (*self._due, *self._waiting):
                _end(turn)
        elif self._until is None:
            self._begin()

    def _begin(self) -> None:
        """A round: all who wait now are told of what there is now, a few at a time."""
        self._rounds += 1
        self._until = self._next
        self._spans.clear()
        self._due.extend(self._waiting)
        self._waiting.clear()
        self._go_on()

    def _go_on(self) -> None:
        woken = 0
        while self._due and woken < _GROUP:
            woken += _end(self._due.popleft())
        if self._loop is None or self._closed:
            return
        if self._due:
            self._loop.call_later(_PAUSE_S, self._go_on)
        elif self._until != self._next:
            self._loop.call_later(_PAUSE_S, self._begin)
        else:
            self._until = None


def _end(turn: "asyncio.Future[None]") -> bool:
    """That somebody waits; False where it has ended, since time went by or the caller went away."""
    if turn.done():
        return False
    turn.set_result(None)
    return True


def token_of(seq: int) -> str:
    """A place as a resume token, opaque to callers."""
    return base64.urlsafe_b64encode(f"{_MARK}{seq}".encode()).decode()


def seq_of(token: str) -> int:
    """The same the other way. Raises InvalidArgumentError."""
    try:
        text = base64.urlsafe_b64decode(token.encode()).decode()
        if text.startswith(_MARK):
            return int(text.removeprefix(_MARK))
    except ValueError:
        pass
    raise InvalidArgumentError("resume_token", "is none of ours; give the last one that a message of this watch had")
