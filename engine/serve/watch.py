"""News to those who watch: one ring of what was stored last, shared by all watchers, and the log behind it.

A watcher is a place in the log, no queue: it reads the log until it meets the ring, and the ring from then on, so that
there is neither a gap nor a duplicate between the two, wherever it begins. What is news is coded once for all watchers.
A watcher that the ring overtakes is cut; it goes on from its place when it comes again.
"""

import asyncio
import base64
import threading
from bisect import bisect_right
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

from engine.errors import InvalidArgumentError, WireError
from engine.serve.status import LostError, TooManyError, TooSlowError
from engine.types import DropReason

HEARTBEAT_S = 10.0
"""A watcher that hears nothing for so long is told where it stands."""
LOG_ROWS = 500
"""Read from the log at once."""
_TURN_S = 0.0005
"""So far apart watchers take what is news. All at once two hundred would hold up every other call meanwhile; so the
last of them hears it 0.1 s later."""
_MARK = "w1:"


class Numbered(Protocol):
    """A row of a log. `seq` rises strictly in the order of the commits."""

    @property
    def seq(self) -> int:
        """Its place."""


News = TypeVar("News", bound=Numbered)
NewsIn = TypeVar("NewsIn", bound=Numbered, covariant=True)


class Log(Protocol[NewsIn]):
    """What is stored, in order."""

    async def span(self) -> tuple[int, int]:
        """(floor, head): rows with floor < seq <= head are kept; head is the latest that was ever given."""

    async def after(self, seq: int, limit: int) -> Sequence[NewsIn]:
        """The first rows with a greater seq, at most `limit`."""


class _Entry(Generic[News]):
    __slots__ = ("body", "news")

    def __init__(self, news: News) -> None:
        self.news = news
        self.body: bytes | None = None


class Watch(Generic[News]):
    """All watchers of one log. `code(news)`: one serialised reply message that holds it; they can be joined."""

    def __init__(self, log: Log[News], code: Callable[[News], bytes], ring_max: int, watchers_max: int) -> None:
        self._log = log
        self._code = code
        self._ring: list[_Entry[News] | None] = [None] * ring_max
        self._next = (
            0  # number of the entry to come, counted from the start of the process; its place is modulo the ring
        )
        self._floor = -1  # all that was published after this seq is in the ring; -1: nothing was published yet
        self._watchers_max = watchers_max
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._coming: asyncio.Future[None] | None = None
        self._closed = False
        self._begun = 0
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

    async def bodies(self, after: int, wants: Callable[[News], bool]) -> AsyncGenerator[tuple[bytes, int], None]:
        """Coded news that `wants` lets through, with the place they reach; empty ones say that time goes by.

        Raises TooSlowError where the ring has overtaken the watcher, LostError where the log no longer has its place.
        """
        now_s = asyncio.get_running_loop().time
        told_s = now_s()
        async for entries, seq in self._entries(after):
            wanted = [self._body(one) for one in entries if wants(one.news)]
            if wanted or now_s() - told_s >= HEARTBEAT_S:
                told_s = now_s()
                yield b"".join(wanted), seq

    async def news(self, after: int) -> AsyncGenerator[Sequence[News], None]:
        """The same as values; nothing is left out, and empty ones say that time goes by."""
        async for entries, _ in self._entries(after):
            yield [one.news for one in entries]

    async def _entries(self, after: int) -> AsyncGenerator[tuple[list[_Entry[News]], int], None]:
        self._loop = asyncio.get_running_loop()
        seq = after
        floor, head = await self._log.span()
        if not floor <= seq <= max(head, self._last()):
            raise LostError(
                f"the place {seq} is not in the log, which goes from {floor} to {head}; begin without resume_token"
            )
        place, self._begun = self._begun, self._begun + 1
        number = -1
        while not self._closed:
            coming = self._coming or self._loop.create_future()
            self._coming = coming  # taken before the look, so that what comes after it is not slept through
            if number < 0:
                number = self._meet(seq)
            if number < 0:
                # No longer in the ring, or nothing was published since the start: the log has it.
                rows = await self._log.after(seq, LOG_ROWS)
                if rows:
                    seq = rows[-1].seq
                    yield [_Entry(one) for one in rows], seq
                    continue
                if self._floor > seq:
                    raise LostError(f"the log has lost what came after {seq}; begin without resume_token")
            else:
                entries = self._since(number, seq)
                if entries:
                    number += len(entries)
                    seq = entries[-1].news.seq
                    yield entries, seq
                    continue
            done, _ = await asyncio.wait({coming}, timeout=HEARTBEAT_S)
            if not done:
                yield [], seq
            elif turn := place % max(1, self.watchers):
                await asyncio.sleep(turn * _TURN_S)
        raise WireError(DropReason.SHUTDOWN, "the engine stops; watch again with the last resume_token")

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

    def _since(self, number: int, seq: int) -> list[_Entry[News]]:
        with self._lock:
            behind = self._next - number
            if behind > len(self._ring):
                raise TooSlowError(
                    f"{behind} waited and {len(self._ring)} may (serve.watch_queue_max); read faster or narrow the "
                    "filter, and go on with the resume_token",
                    token_of(seq),
                )
            numbers = range(number, number + min(behind, LOG_ROWS))
            entries = (self._ring[one % len(self._ring)] for one in numbers)
            return [one for one in entries if one is not None]

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
        coming, self._coming = self._coming, None
        if coming is not None and not coming.done():
            coming.set_result(None)


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
