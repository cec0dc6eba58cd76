"""What is paused: cameras that are not visited for a while, because somebody says so. Pure.

A pause goes by region, recorder, platform or camera; a camera that any of them holds is passed over when its time
comes. Ends are moments of the wall clock, since people gave them.
"""

from collections.abc import Iterator

from engine.model.schedule import Pause, PauseKind, PauseScope
from engine.scheduler.gates import Hosts, Uplinks
from engine.scheduler.statistics import Counties
from engine.scheduler.table import Table


class Pauses:
    """One pause a scope. With none, asking costs a look at an empty dictionary."""

    def __init__(self, table: Table, uplinks: Uplinks, hosts: Hosts, counties: Counties) -> None:
        self._table = table
        self._uplinks = uplinks
        self._hosts = hosts
        self._counties = counties
        self._pauses: dict[PauseScope, Pause] = {}

    def __len__(self) -> int:
        """Pauses there are."""
        return len(self._pauses)

    def __iter__(self) -> Iterator[Pause]:
        """The pauses, the oldest first."""
        return iter(self._pauses.values())

    def put(self, pause: Pause) -> None:
        """A scope is paused, or has another reason or end from now on."""
        self._pauses[pause.scope] = pause

    def take(self, scope: PauseScope) -> Pause | None:
        """A scope is paused no longer; None if it was not."""
        return self._pauses.pop(scope, None)

    def over(self, wall_ns: int) -> list[PauseScope]:
        """Scopes whose end has come."""
        return [one.scope for one in self._pauses.values() if one.until_wall_ns and one.until_wall_ns <= wall_ns]

    def next_end_wall_ns(self) -> int | None:
        """The first end to come; None while all last until somebody resumes them."""
        return min((one.until_wall_ns for one in self._pauses.values() if one.until_wall_ns), default=None)

    def of(self, slot: int) -> Pause | None:
        """A pause that holds the camera; None if none does."""
        if not self._pauses:
            return None
        return next((pause for pause in self._pauses.values() if self.holds(pause.scope, slot)), None)

    def holds(self, scope: PauseScope, slot: int) -> bool:
        """Whether the camera lies in this scope."""
        table = self._table
        if scope.kind is PauseKind.CAMERA:
            return table.ids[slot] == scope.value
        if scope.kind is PauseKind.REGION:
            return self._counties.names[table.county[slot]].startswith(scope.value)
        if scope.kind is PauseKind.UPLINK:
            return table.uplink[slot] >= 0 and self._uplinks.names[table.uplink[slot]] == scope.value
        return table.host[slot] >= 0 and self._hosts.all[table.host[slot]].name == scope.value
