"""Decides which stream of a camera a visit is made on: the main stream, or the smaller sub-stream. Pure.

The sub-stream serves to see that a camera is still well. A visit is on the main stream whenever it has to prove
something: somebody asked for it, the last picture disagrees with the announced state, the last visit failed, the judge
asks for it (no announcement rests on the sub-stream alone), or the visit probes a platform. A sub-stream that fails, or
shows a fault that the main stream does not have, is set aside: for 1, 3, 7 ... visits, at most REST_MAX, which are on
the main stream.
"""

from engine.clock import ns
from engine.config.schema import SchedulerSettings
from engine.model.camera import CameraStream
from engine.model.schedule import SetAsideReason, StreamPolicy
from engine.model.verdict import State
from engine.model.visit import NOT_JUDGED, FailureReason
from engine.scheduler.classes import CLASSES, CameraClass
from engine.scheduler.events import Action, Judged, SubStreamSetAside
from engine.scheduler.table import FAILING, PROBING, SUSPICIOUS, URGENT, Table

REST_MAX = 63
_STRIKES_MAX = REST_MAX.bit_length()
_HAS_SUB, _MAIN_NEXT, _ON_SUB, _FAILED, _DOUBTED = (1 << n for n in range(5))
"""Bits of the column `stream`: the camera has a sub-stream; the judge wants its next visit on the main stream; the
visit under way is on the sub-stream; the last one on it failed; the last one on it disagreed with the announced
state."""
_ON_MAIN = URGENT | SUSPICIOUS | FAILING | PROBING


class Streams:
    """Writes the columns `stream` and `sub_*` of the table. They are 0 for a camera without a sub-stream."""

    def __init__(self, table: Table, settings: SchedulerSettings) -> None:
        self._table = table
        self.configure(settings)

    def configure(self, settings: SchedulerSettings) -> None:
        """Apply another policy; visits under way keep their stream."""
        self._policies = [StreamPolicy.MAIN] * len(CLASSES)
        self._policies[CameraClass.KEY_POINT] = settings.streams.get("key_point", StreamPolicy.MAIN)
        self._policies[CameraClass.ORDINARY] = settings.streams.get("ordinary", StreamPolicy.MAIN)
        self._main_every = settings.main_every
        self.retry_ns = ns(settings.confirm_spacing_s)

    def set_plan(self, slot: int, *, has_sub: bool) -> None:
        """Note whether a camera that is new or changed has a sub-stream."""
        table = self._table
        bits = table.stream[slot]
        if bool(bits & _HAS_SUB) != has_sub:
            table.stream[slot] = bits & _ON_SUB | (_HAS_SUB if has_sub else 0)
            table.sub_rest[slot] = table.sub_strikes[slot] = 0
            # Their visits on the main stream come one after the other, not all in the same period.
            table.sub_visits[slot] = table.seed[slot] % self._main_every if has_sub else 0

    def choose(self, slot: int, flags: int) -> CameraStream:
        """Return the stream of a visit that begins, and note it. `flags`: of the slot, with URGENT and PROBING."""
        table = self._table
        bits = table.stream[slot]
        if bits & _HAS_SUB and self._is_on_sub(slot, bits, flags):
            table.stream[slot] = bits | _ON_SUB
            table.sub_visits[slot] = min(255, table.sub_visits[slot] + 1)
            return CameraStream.SUB
        table.stream[slot] = bits & ~_ON_SUB
        table.sub_visits[slot] = 0
        return CameraStream.MAIN

    def is_on_sub(self, slot: int) -> bool:
        """Return whether the visit under way is on the sub-stream."""
        return bool(self._table.stream[slot] & _ON_SUB)

    def ended(self, slot: int, failure: FailureReason | None, actions: list[Action]) -> bool:
        """Note the end of a visit. Returns True if a sub-stream failed: that proves nothing about its camera, whose
        main stream is to be visited soon.
        """
        table = self._table
        bits = table.stream[slot]
        table.stream[slot] = bits & ~_ON_SUB
        if failure in NOT_JUDGED:
            return False
        if bits & _ON_SUB:
            if failure is not None and bits & _HAS_SUB:
                table.stream[slot] |= _FAILED
                return True
        elif bits & _FAILED:
            table.stream[slot] &= ~_FAILED
            if failure is None:
                self._set_aside(slot, SetAsideReason.FAILED, actions)
        return False

    def is_news(self, slot: int, event: Judged) -> bool:
        """Return whether a verdict that makes no camera suspicious changes what is noted of its streams."""
        bits = self._table.stream[slot]
        if event.main_soon or event.main_next != bool(bits & _MAIN_NEXT) or bits & _DOUBTED:
            return True
        return event.stream is CameraStream.SUB and self._table.sub_strikes[slot] > 0

    def judged(self, slot: int, event: Judged, suspicious: bool, actions: list[Action]) -> None:
        """Note the verdict on a picture of a camera that has a sub-stream."""
        table = self._table
        bits = table.stream[slot] & ~_MAIN_NEXT | (_MAIN_NEXT if event.main_next else 0)
        if event.stream is CameraStream.SUB:
            bits = bits | _DOUBTED if suspicious else bits & ~_DOUBTED
            if not suspicious:
                table.sub_strikes[slot] = max(0, table.sub_strikes[slot] - 1)
        elif bits & _DOUBTED and not event.main_next:
            bits &= ~_DOUBTED
            if event.state == event.announced == State.OK:
                self._set_aside(slot, SetAsideReason.CONTRADICTED, actions)
        table.stream[slot] = bits

    def sentence(self, slot: int) -> str:
        """Say on which stream the next visit will be, and why; empty for a camera without a sub-stream."""
        table = self._table
        bits, flags, rest = table.stream[slot], table.flags[slot], table.sub_rest[slot]
        policy = self._policies[table.base_class[slot]]
        if not bits & _HAS_SUB:
            return ""
        if policy is StreamPolicy.MAIN:
            return "it has a sub-stream, which its class does not use (scheduler.streams)"
        if bits & _FAILED:
            return "its sub-stream failed: the next visit is on the main stream"
        if bits & _MAIN_NEXT:
            return "the judge wants its next picture from the main stream"
        if flags & _ON_MAIN:
            return "its next visit is on the main stream: it has something to prove"
        if rest:
            return f"its sub-stream is set aside: {rest} more visits on the main stream"
        if self._is_main_due(slot, policy):
            return f"its next visit is on the main stream, as is one in {self._main_every}"
        return "its next visit is on the sub-stream"

    def _is_on_sub(self, slot: int, bits: int, flags: int) -> bool:
        table = self._table
        policy = self._policies[table.base_class[slot]]
        if policy is StreamPolicy.MAIN or bits & (_MAIN_NEXT | _FAILED) or flags & _ON_MAIN:
            return False
        if table.sub_rest[slot]:
            table.sub_rest[slot] -= 1
            return False
        return not self._is_main_due(slot, policy)

    def _is_main_due(self, slot: int, policy: StreamPolicy) -> bool:
        return policy is StreamPolicy.SUB_WITH_MAIN and self._table.sub_visits[slot] >= self._main_every - 1

    def _set_aside(self, slot: int, reason: SetAsideReason, actions: list[Action]) -> None:
        """Let a sub-stream rest, for longer each time that it has been of no use."""
        table = self._table
        strikes = table.sub_strikes[slot] = min(_STRIKES_MAX, table.sub_strikes[slot] + 1)
        table.sub_rest[slot] = (1 << strikes) - 1
        actions.append(SubStreamSetAside(table.ids[slot], reason, table.sub_rest[slot]))
