"""Remembers who has which finding open, so that inspectors see each other. In memory only: nothing is stored."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

from engine.clock import monotonic_ns, ns, wall_ns
from engine.model.viewing import Viewer

FINDINGS_MAX = 10_000
VIEWERS_MAX = 8
"""Viewers of one finding. Beyond either bound, whoever said so longest ago is forgotten."""
FORGET_S = 60.0


class Viewers:
    """For one event loop. A viewer is forgotten FORGET_S after the latest mark.

    `clock_ns`: a clock that never goes back. `clock_wall_ns`: the time that others are told.
    """

    def __init__(self, clock_ns: Callable[[], int] = monotonic_ns, clock_wall_ns: Callable[[], int] = wall_ns) -> None:
        self._clock_ns = clock_ns
        self._clock_wall_ns = clock_wall_ns
        self._findings: OrderedDict[int, OrderedDict[str, tuple[int, Viewer]]] = OrderedDict()
        """By finding, then by name: when the mark ends, and the viewer. In the order of the latest mark, both."""

    def __len__(self) -> int:
        """Return the number of findings that somebody has marked."""
        return len(self._findings)

    def mark(self, finding_id: int, name: str, viewing: bool) -> tuple[Viewer, ...]:
        """Note that somebody has a finding open, or no longer has; return its viewers, the earliest mark first."""
        viewers = self._findings.pop(finding_id, OrderedDict())
        viewers.pop(name, None)
        if viewing:
            viewers[name] = self._clock_ns() + ns(FORGET_S), Viewer(name, self._clock_wall_ns())
            if len(viewers) > VIEWERS_MAX:
                viewers.popitem(last=False)
        if viewers:
            self._findings[finding_id] = viewers
        self._forget()
        return self._of(finding_id)

    def of(self, finding_ids: Iterable[int]) -> Mapping[int, tuple[Viewer, ...]]:
        """Return the viewers of each of these findings, the earliest mark first."""
        return {finding_id: self._of(finding_id) for finding_id in finding_ids}

    def _of(self, finding_id: int) -> tuple[Viewer, ...]:
        now_ns = self._clock_ns()
        return tuple(viewer for ends_ns, viewer in self._findings.get(finding_id, {}).values() if ends_ns > now_ns)

    def _forget(self) -> None:
        """Drop findings whose marks have all ended, and the first ones beyond the bound."""
        now_ns = self._clock_ns()
        while self._findings:
            finding_id, viewers = next(iter(self._findings.items()))
            latest_ns = next(reversed(viewers.values()))[0]
            if latest_ns > now_ns and len(self._findings) <= FINDINGS_MAX:
                return
            del self._findings[finding_id]
