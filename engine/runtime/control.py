"""The pipe between the supervisor and a child.

A child says `ready` on it; the parent says `stop` on it; and when the parent is gone, however it went, the pipe ends
and the child goes too.
"""

import contextlib
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

READY = "ready"
"""Child to parent: work can come; facts (addresses)."""
FAILED = "failed"
"""Child to parent: cannot run at all; error code and message."""
GO = "go"
"""Parent to hub: every child is ready."""
BEGUN = "begun"
"""Hub to parent: a worker is at hand and visits begin; callers may come."""
LOST = "lost"
"""Parent to hub: a child is gone; role, name, reason."""
RELOAD = "reload"
"""Parent to hub: take the settings of a file; its path. Parent to feeders: new settings, as a tree."""
RELOADED = "reloaded"
"""Hub to parent: these settings and this calendar are in force from now on, as trees."""
REPLACE = "replace"
"""Hub to parent: end this child and start another; name, reason."""
STOP = "stop"
"""Parent to child."""

EXIT_RECYCLE = 3
"""A demuxer with too many stuck threads leaves with this code."""


class Control:
    """The child's end of the pipe. Messages are tuples whose first item is a word."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def descriptor(self) -> int:
        """For a poller."""
        return self._connection.fileno()

    def ready(self, **facts: Any) -> None:
        """Tell the parent that work can come, with facts it may pass on (addresses)."""
        self.say(READY, facts)

    def say(self, word: str, *rest: Any) -> None:
        """Send; silently nothing if the parent is gone, since then the child is about to go as well."""
        with contextlib.suppress(OSError):
            self._connection.send((word, *rest))

    def heard(self) -> list[tuple[Any, ...]]:
        """All that has come; a parent that is gone reads as STOP."""
        messages: list[tuple[Any, ...]] = []
        try:
            while self._connection.poll(0):
                messages.append(self._connection.recv())
        except (EOFError, OSError):
            messages.append((STOP,))
        return messages

    def stop_asked(self, on_reload: Callable[[Any], None] = lambda _: None) -> bool:
        """Whether STOP is among what has come. `on_reload` is handed new settings; other words are for the hub only."""
        stop = False
        for word, *rest in self.heard():
            if word == RELOAD:
                on_reload(rest[0])
            stop |= word == STOP
        return stop
