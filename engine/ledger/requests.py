"""Remembers the latest commands by actor and request id, so that a retry is recognised. Pure."""

from collections import OrderedDict
from collections.abc import Iterable

from engine.ledger.commands import is_repeated
from engine.model.access import Actor
from engine.model.findings import FindingCommand

REQUESTS_MAX = 10_000
"""Number of latest commands that are held here; older ones are in the database only."""

RequestKey = tuple[str, str]
"""Name of the actor, and request id."""


class RequestMemory:
    """The latest REQUESTS_MAX commands with a request id. `requests`: those of before a restart, oldest first."""

    def __init__(self, requests: Iterable[tuple[RequestKey, FindingCommand]] = ()) -> None:
        self._commands: OrderedDict[RequestKey, FindingCommand] = OrderedDict()
        for key, command in requests:
            self._add(key, command)

    def __len__(self) -> int:
        """Return the number of commands held."""
        return len(self._commands)

    def add(self, command: FindingCommand, actor: Actor) -> None:
        """Remember an executed command; nothing happens if it has no request id."""
        if command.request_id:
            self._add((actor.name, command.request_id), command)

    def is_repeated(self, command: FindingCommand, actor: Actor) -> bool:
        """Return whether this command was executed before.

        Raises InvalidArgumentError if the actor used its request id for another command.
        """
        return bool(command.request_id) and is_repeated(command, self._commands.get((actor.name, command.request_id)))

    def _add(self, key: RequestKey, command: FindingCommand) -> None:
        self._commands[key] = command
        if len(self._commands) > REQUESTS_MAX:
            self._commands.popitem(last=False)
