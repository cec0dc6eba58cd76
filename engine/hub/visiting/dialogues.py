"""Holds the dialogues of visits that a check-now call asked for, until that call takes them. Pure, bounded."""

from collections import OrderedDict
from collections.abc import Sequence

from engine.clock import NS_PER_S
from engine.model.dialogue import TraceLine
from engine.model.visit import VisitOrder

_CAMERAS_MAX = 16
"""Cameras of all calls together; beyond it those that were asked for first are forgotten."""
_VISITS_MAX = 4
"""Dialogues of one camera: a visit that was lost is made again."""
_WANTED_NS = 700 * NS_PER_S
"""Longer than a call lasts, for one that did not say that it ended."""


class Dialogues:
    """For the hub's thread."""

    def __init__(self) -> None:
        self._wanted: OrderedDict[str, OrderedDict[int, tuple[TraceLine, ...]]] = OrderedDict()
        self._until_ns: dict[str, int] = {}
        self._camera_of: dict[int, str] = {}

    def want(self, camera_ids: Sequence[str], now_ns: int) -> None:
        """Have the next visits of these cameras traced, until `forget`."""
        for camera_id in camera_ids:
            self._wanted.setdefault(camera_id, OrderedDict())
            self._until_ns[camera_id] = now_ns + _WANTED_NS
        while len(self._wanted) > _CAMERAS_MAX:
            self.forget([next(iter(self._wanted))])

    def forget(self, camera_ids: Sequence[str]) -> None:
        """Trace them no more, and drop what they said."""
        for camera_id in camera_ids:
            self._until_ns.pop(camera_id, None)
            for visit_id in self._wanted.pop(camera_id, ()):
                self._camera_of.pop(visit_id, None)

    def ordered(self, order: VisitOrder, now_ns: int) -> bool:
        """Return whether this visit is to be traced."""
        if now_ns > self._until_ns.get(order.camera_id, now_ns):
            self.forget([order.camera_id])
        visits = self._wanted.get(order.camera_id)
        if visits is None:
            return False
        visits[order.visit_id] = ()
        self._camera_of[order.visit_id] = order.camera_id
        while len(visits) > _VISITS_MAX:
            self._camera_of.pop(visits.popitem(last=False)[0], None)
        return True

    def add(self, visit_id: int, lines: Sequence[TraceLine]) -> None:
        """Add what was said in a visit; one that FFmpeg makes once more has two parts. Others than those wanted are
        dropped."""
        camera_id = self._camera_of.get(visit_id)
        if camera_id is not None:
            visits = self._wanted[camera_id]
            visits[visit_id] = (*visits[visit_id], *lines)

    def get(self, camera_id: str, visit_id: int) -> tuple[TraceLine, ...]:
        """Return what was said in a visit; empty if it is not known."""
        visits = self._wanted.get(camera_id)
        return () if visits is None else visits.get(visit_id, ())
