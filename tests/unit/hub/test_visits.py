"""The hub's side of visits: what it holds against the scheduler, and when."""

import pytest

from engine.clock import NS_PER_S
from engine.config.calendar import Calendar
from engine.config.schema import Settings
from engine.hub.registry import Registry
from engine.hub.visiting.visits import Visits
from engine.metrics import Metrics
from engine.model.camera import Camera
from engine.model.verdict import State, Verdict
from engine.scheduler.core import Scheduler
from engine.scheduler.invariants import SchedulerInvariantError, check_invariants


def test_who_fell_due_after_the_last_turn_was_not_passed_over() -> None:
    cameras = [Camera(f"c{at}", f"rtsp://10.0.0.{at}/1") for at in range(1, 5)]
    settings = Settings()
    scheduler = Scheduler(settings.scheduler, Calendar(), first_visit_id=1)
    visits = Visits(settings, Registry(cameras, {}), scheduler, lambda *_: True, Metrics("1"))
    visits.upsert(cameras, NS_PER_S)
    wakeup_ns = scheduler.next_wakeup_ns()
    assert wakeup_ns is not None
    late_ns = wakeup_ns + 10 * NS_PER_S
    with pytest.raises(SchedulerInvariantError, match="passed over"):
        check_invariants(scheduler, late_ns)  # this is what a stop between two turns looks like
    visits.judged(Verdict("c1", 1, 0, State.OK, announced=State.OK), False, False, late_ns)
    visits.check_invariants()
    visits.advance(late_ns, room=10)
    visits.check_invariants()
