"""A ring of the events that were stored last, shared by all watchers of a log.

Each event is encoded once for all watchers, and what a filter lets through of a span of events is joined once for all
watchers with an equal filter.
"""

import threading
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from engine.model.verdict import View
from engine.serve.status import TooSlowError

SPAN_EVENTS_MAX = 500
"""Events of one span, whether from the ring or from the log."""
_SPANS_MAX = 8
_FILTERS_MAX = 64
_JOINED_BYTES_MAX = 4 * 1024 * 1024
"""A span keeps so many joined bytes, for so many filters; for further filters they are joined for each watcher."""


class Sequenced(Protocol):
    """A row of a log. `seq` rises strictly in the order of the commits."""

    @property
    def seq(self) -> int:
        """Its place in the log."""


Event = TypeVar("Event", bound=Sequenced)
EventIn = TypeVar("EventIn", bound=Sequenced, contravariant=True)


class EventFilter(Protocol[EventIn]):
    """What a watcher wants to receive; it includes the caller's region. Equal filters share the same bytes."""

    @property
    def view(self) -> View:
        """How much of each event the watcher receives."""

    def matches(self, event: EventIn, /) -> bool:
        """Whether the event is for the watcher."""

    def resume_token(self, seq: int) -> str:
        """Return the watcher's token of a place in the log."""

    def __hash__(self) -> int:
        """By value."""


class RingEntry(Generic[Event]):
    """An event, and its encoded message in each view that some watcher needed."""

    __slots__ = ("event", "messages")

    def __init__(self, event: Event) -> None:
        self.event = event
        self.messages: dict[View, bytes] = {}


class Span(Generic[Event]):
    """Consecutive entries; `seq` of the last one; and, for each filter, the joined messages of those that match."""

    __slots__ = ("bytes_left", "entries", "joined", "seq")

    def __init__(self, entries: Sequence[RingEntry[Event]], seq: int) -> None:
        self.entries = entries
        self.seq = seq
        self.joined: dict[EventFilter[Event], bytes] = {}
        self.bytes_left = _JOINED_BYTES_MAX


class EventRing(Generic[Event]):
    """The last `size` events. Entries are numbered from 0 at the start of the process.

    `encode(event, view)`: a serialised reply message that holds the event. `encode_token(resume_token)`: one that holds
    only a resume token. Such messages can be joined. `append` may be called from any thread.
    """

    def __init__(self, encode: Callable[[Event, View], bytes], encode_token: Callable[[str], bytes], size: int) -> None:
        self._encode = encode
        self._encode_token = encode_token
        self._entries: list[RingEntry[Event] | None] = [None] * size
        self._lock = threading.Lock()
        self.next_number = 0
        """The number of the entry that comes next."""
        self.floor = -1
        """The ring holds everything that was published after this `seq`; -1: nothing was published yet."""
        self._spans: dict[tuple[int, int], Span[Event]] = {}  # by first number and the number after the last

    def append(self, events: Sequence[Event]) -> None:
        """Append events, in the order of the log; each overwrites the oldest entry once the ring is full."""
        with self._lock:
            for event in events:
                index = self.next_number % len(self._entries)
                overwritten = self._entries[index]
                if overwritten is not None:
                    self.floor = overwritten.event.seq
                elif self.floor < 0:
                    self.floor = event.seq - 1
                self._entries[index] = RingEntry(event)
                self.next_number += 1

    def last_seq(self) -> int:
        """The `seq` of the latest event; -1 if nothing was published yet."""
        with self._lock:
            latest = self._entries[(self.next_number - 1) % len(self._entries)]
            return -1 if latest is None else latest.event.seq

    def number_after(self, seq: int) -> int:
        """The number of the first entry after `seq`; -1 if the ring no longer holds everything after it."""
        with self._lock:
            if self.floor < 0 or seq < self.floor:
                return -1
            numbers = range(max(0, self.next_number - len(self._entries)), self.next_number)
            return numbers.start + bisect_right(numbers, seq, key=self._seq_at)

    def span(self, number: int, until: int | None) -> Span[Event] | None:
        """The entries from `number` on, below the number `until` (None: all); None if there are none.

        All watchers at the same place share one span. Raises TooSlowError, without a resume token, if some of the
        entries are overwritten.
        """
        with self._lock:
            behind = self.next_number - number
            if behind > len(self._entries):
                raise TooSlowError(
                    f"{behind} events wait, and {len(self._entries)} may (serve.watch_queue_max); read faster or "
                    "narrow the filter, and resume with the resume_token"
                )
            end = min(self.next_number if until is None else until, number + SPAN_EVENTS_MAX)
            if end <= number:
                return None
            span = self._spans.get((number, end))
            if span is None:
                slots = (self._entries[position % len(self._entries)] for position in range(number, end))
                entries = [entry for entry in slots if entry is not None]
                if len(self._spans) >= _SPANS_MAX:
                    self._spans.clear()
                span = self._spans[number, end] = Span(entries, entries[-1].event.seq)
            return span

    def forget_spans(self) -> None:
        """Release the spans of the round that is over."""
        self._spans.clear()

    def joined(self, span: Span[Event], event_filter: EventFilter[Event]) -> bytes:
        """The messages of the events that match, with the resume token behind them; empty if none matches."""
        joined = span.joined.get(event_filter)
        if joined is None:
            view = event_filter.view
            messages = [self._message(entry, view) for entry in span.entries if event_filter.matches(entry.event)]
            joined = b"".join((*messages, self.token_message(span.seq, event_filter))) if messages else b""
            if len(joined) <= span.bytes_left and len(span.joined) < _FILTERS_MAX:
                span.bytes_left -= len(joined)
                span.joined[event_filter] = joined
        return joined

    def token_message(self, seq: int, event_filter: EventFilter[Event]) -> bytes:
        """A message that holds only a watcher's resume token of `seq`."""
        return self._encode_token(event_filter.resume_token(seq))

    def _message(self, entry: RingEntry[Event], view: View) -> bytes:
        message = entry.messages.get(view)
        if message is None:
            message = entry.messages[view] = self._encode(entry.event, view)
        return message

    def _seq_at(self, number: int) -> int:
        entry = self._entries[number % len(self._entries)]
        return -1 if entry is None else entry.event.seq
