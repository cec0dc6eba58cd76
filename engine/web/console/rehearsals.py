"""Rehearsals of configurations that run while their user does something else; kept in memory for a while."""

import asyncio
import secrets
from contextlib import aclosing
from time import monotonic
from typing import Any

from engine.web.console.page import Page
from engine.web.errors import HttpError, refusal
from patrol.v1.configuration_pb2 import RehearseConfigRequest

_KEPT_MAX = 20
_KEPT_S = 3600.0
_DEADLINE_S = 1800.0


class Rehearsal:
    """One rehearsal. `toml`, `hours`: what is rehearsed. `progress`: 0 to 1. `result`: once it has ended well, else
    `error` says why it did not.
    """

    def __init__(self, toml: str, hours: int) -> None:
        self.toml = toml
        self.hours = hours
        self.began_s = monotonic()
        self.progress = 0.0
        self.result: Any = None
        self.error = ""
        self.task: asyncio.Task[None] | None = None

    @property
    def has_ended(self) -> bool:
        """Whether there is a result or an error."""
        return self.result is not None or bool(self.error)


class Rehearsals:
    """Those of all users of this process, by a name that nobody guesses; at most _KEPT_MAX, for _KEPT_S."""

    def __init__(self) -> None:
        self._kept: dict[str, Rehearsal] = {}

    def begin(self, page: Page, toml: str, hours: int) -> str:
        """Begin one with the token of the page's user; return its name."""
        for name in [name for name, kept in self._kept.items() if kept.began_s < monotonic() - _KEPT_S]:
            self.end(name)
        if len(self._kept) >= _KEPT_MAX:
            ended = next((name for name, kept in self._kept.items() if kept.has_ended), None)
            if ended is None:
                message = f"{_KEPT_MAX} rehearsals are under way, which is the most; try again in a minute"
                raise refusal("RESOURCE_EXHAUSTED", "TOO_MANY_REHEARSALS", message)
            self.end(ended)
        name = secrets.token_urlsafe(16)
        rehearsal = Rehearsal(toml, hours)
        rehearsal.task = asyncio.create_task(_follow(page, rehearsal))
        self._kept[name] = rehearsal
        return name

    def get(self, name: str) -> Rehearsal:
        """Return one. Raises HttpError if it is not kept."""
        if name not in self._kept:
            raise refusal("NOT_FOUND", "NO_SUCH_REHEARSAL", "this rehearsal is no longer kept; begin it again")
        return self._kept[name]

    def end(self, name: str) -> None:
        """Break one off, or forget it."""
        rehearsal = self._kept.pop(name, None)
        if rehearsal is not None and rehearsal.task is not None:
            rehearsal.task.cancel()


async def _follow(page: Page, rehearsal: Rehearsal) -> None:
    """Note the progress of a rehearsal, and its result."""
    request = RehearseConfigRequest(toml=rehearsal.toml, hours=rehearsal.hours)
    try:
        async with aclosing(page.engine.stream(request, _DEADLINE_S)) as replies:
            async for reply in replies:
                rehearsal.progress = reply.progress
                if reply.HasField("result"):
                    rehearsal.result = reply.result
        if rehearsal.result is None:
            rehearsal.error = "the engine ended it without a result; begin it again"
    except HttpError as error:
        rehearsal.error = error.status.message
