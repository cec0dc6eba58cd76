"""Holds the pauses of the patrol: cameras that are not visited for a while because somebody says so. Pure.

A pause goes by region, recorder, platform or camera; a camera in any paused scope is skipped when it comes due. People
set the ends, so these are wall-clock times.
"""

from collections.abc import Iterator

from engine.model.schedule import Pause, PauseKind, PauseScope
from engine.scheduler.gates import Hosts, Uplinks
from engine.scheduler.statistics import Counties
from engine.scheduler.table import Table


class Pauses:
    """At most one pause for each scope. Without pauses, a query costs one check of an empty dictionary."""

    def __init__(self, table: Table, uplinks: Uplinks, hosts: Hosts, counties: Counties) -> None:
        self._table = table
        self._uplinks = uplinks
        self._hosts = hosts
        self._counties = counties
        self._pauses: dict[PauseScope, Pause] = {}

    def __len__(self) -> int:
        """The number of pauses."""
        return len(self._pauses)

    def __iter__(self) -> Iterator[Pause]:
        """The pauses, the oldest first."""
        return iter(self._pauses.values())

    def add(self, pause: Pause) -> None:
        """Pause a scope; a pause of the same scope is replaced."""
        self._pauses[pause.scope] = pause

    def remove(self, scope: PauseScope) -> Pause | None:
        """End the pause of a scope and return it; None if it was not paused."""
        return self._pauses.pop(scope, None)

    def ended(self, wall_ns: int) -> list[PauseScope]:
        """Return the scopes whose pause has reached its end."""
        return [
            pause.scope for pause in self._pauses.values() if pause.until_wall_ns and pause.until_wall_ns <= wall_ns
        ]

    def next_end_wall_ns(self) -> int | None:
        """Return the earliest end; None if every pause lasts until somebody resumes it."""
        return min((pause.until_wall_ns for pause in self._pauses.values() if pause.until_wall_ns), default=None)

    def pause_of(self, slot: int) -> Pause | None:
        """Return a pause that holds the camera; None if there is none."""
        if not self._pauses:
            return None
        return next((pause for pause in self._pauses.values() if self.in_scope(pause.scope, slot)), None)

    def in_scope(self, scope: PauseScope, slot: int) -> bool:
        """Return whether the camera belongs to this scope."""
        table = self._table
        if scope.kind is PauseKind.CAMERA:
            return table.ids[slot] == scope.value
        if scope.kind is PauseKind.REGION:
            return self._counties.names[table.county[slot]].startswith(scope.value)
        if scope.kind is PauseKind.UPLINK:
            return table.uplink[slot] >= 0 and self._uplinks.names[table.uplink[slot]] == scope.value
        return table.host[slot] >= 0 and self._hosts.by_index[table.host[slot]].name == scope.value
