"""A rehearsal is worth something: a scheduler that is broken on purpose breaks promises, told by books of their own."""

from collections.abc import Callable
from typing import Any

import pytest

from engine.config.schema import SchedulerSettings
from engine.scheduler.classes import CameraClass
from engine.scheduler.core import Scheduler
from engine.scheduler.dispatch import Dispatch
from engine.scheduler.gates import Rate
from engine.scheduler.periods.timing import NEVER_NS, Timing
from engine.simulation.world import Pattern, World
from tests.planted_bugs import Wrapper, around, instead
from tests.support.scheduler.simulations import report, settings

pytestmark = pytest.mark.long

PLAN = {"key_period_s": 60, "ordinary_period_s": 120, "visits_per_host_max": 40, "host_starts_per_s_max": 15}
ALWAYS = World(hours=(Pattern(hours="", share=1),))


def _settings_with(**loose: object) -> Wrapper:
    def take(real: Wrapper, self: Dispatch, given: SchedulerSettings) -> None:
        real(self, given.model_copy(update=loose))
        self.hosts.configure(given.model_copy(update=loose), 0)

    return take


def _forget_one_in_nine(real: Wrapper, self: Timing, slot: int, now_ns: int) -> None:
    real(self, slot, now_ns)
    if slot % 9 == 0:
        self._table.release[slot] = NEVER_NS


def _launch_under_an_old_id(real: Wrapper, self: Dispatch, slot: int, *args: Any) -> None:
    if self._next_visit_id % 50 == 0 and self.flights:
        self._next_visit_id = next(iter(self.flights))
    real(self, slot, *args)


def _starve(real: Wrapper, self: Dispatch) -> int:
    queue = real(self)
    return -1 if queue == CameraClass.ORDINARY else queue


BUGS = {
    "the cap in all is not asked": (
        instead(Dispatch, "visits_allowed", property(lambda _: 10_000)),
        "visits in flight, scheduler.visits_max is 30",
    ),
    "the cap of recorders is not asked": (
        around(Dispatch, "_apply_settings", _settings_with(visits_per_uplink_max=1000)),
        "visits on recorder",
    ),
    "the cap of platforms is not asked": (
        around(Dispatch, "_apply_settings", _settings_with(visits_per_host_max=1000, host_starts_per_s_max=1000)),
        "visits on platform platform-0, allowed 40",
    ),
    "the rates are off": (instead(Rate, "next_ns", lambda self, arrival_ns: 0), "than scheduler.host_starts_per_s_max"),
    "a platform is let in too fast": (
        around(Dispatch, "_apply_settings", _settings_with(host_starts_per_s_max=30)),
        "more connections to platform platform-0 than scheduler.host_starts_per_s_max allows (15)",
    ),
    "cameras are forgotten": (around(Timing, "after_success", _forget_one_in_nine), "can be reached and was not seen"),
    "a class starves": (around(Dispatch, "_next_queue", _starve), "ordinary camera"),
    "an order goes out twice": (around(Dispatch, "_start_visit", _launch_under_an_old_id), "began twice"),
    "an end is not heard": (instead(Scheduler, "_on_visit_ended", lambda *_: None), "the scheduler counts"),
}


def broken(cameras: int, **more: object) -> list[str]:
    figures = report(cameras, 0.25, plan=settings(**{**PLAN, **more}), world=ALWAYS, seed=5).figures
    found: list[str] = figures["promises"]["broken"]
    return found


@pytest.mark.parametrize("name", BUGS)
def test_a_promise_is_broken_when(name: str) -> None:
    plant, said = BUGS[name]
    visits_max = 30 if "in all" in name or "class" in name else 1000
    with plant():
        sentences = broken(800, visits_max=visits_max)
    assert any(said in sentence for sentence in sentences), sentences[:3]


def test_no_promise_is_broken_by_the_scheduler_as_it_is() -> None:
    assert broken(800) == []
    assert broken(800, visits_max=30) == []


def test_every_bug_is_planted_somewhere() -> None:
    plants: list[Callable[[], Any]] = [plant for plant, _ in BUGS.values()]
    assert len(plants) == len(BUGS) >= 9
