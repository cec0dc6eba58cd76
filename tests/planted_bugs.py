"""Plants one bug in the scheduler at a time and shows that a checker finds it: `python -m tests.planted_bugs`.

Each bug is planted by patching one function of the core. Small worlds then run until one of three checkers fails: the
scheduler's own invariants, the auditor (tests/support/scheduler/auditor.py), which sees only events and actions, or a
replay of the log. The unpatched core must pass the same worlds. Exit 1 if no checker finds a bug, or if the unpatched
core fails.
"""

import argparse
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from rich.console import Console
from rich.table import Table

from engine.model.visit import CheckNowReport
from engine.scheduler import streams
from engine.scheduler.classes import CameraClass
from engine.scheduler.core import Scheduler
from engine.scheduler.dispatch import Dispatch
from engine.scheduler.events import CheckNowAnswered
from engine.scheduler.gates import Hosts, Rate
from engine.scheduler.invariants import SchedulerInvariantError
from engine.scheduler.periods import overload, timing
from engine.scheduler.periods.backoff import first_wait_s
from engine.scheduler.periods.timing import NEVER_NS, Timing
from engine.scheduler.statistics import Statistics
from engine.scheduler.streams import Streams
from engine.scheduler.table import URGENT
from tests.support.scheduler.auditor import AuditError
from tests.support.scheduler.scheduling import SECOND
from tests.support.scheduler.worlds import WORLDS, ReplayError, World

SEEDS = range(3)

Wrapper = Callable[..., Any]
Patch = AbstractContextManager[object]


@dataclass(frozen=True)
class Bug:
    """A planted bug. `worlds`: names of the worlds in which it shows."""

    name: str
    worlds: tuple[str, ...]
    plant: Callable[[], Patch]


@dataclass(frozen=True)
class Caught:
    """Which checker failed, in which world, with what message."""

    checker: str
    world: str
    seed: int
    message: str


def around(owner: type, name: str, wrapper: Wrapper) -> Callable[[], Patch]:
    """Return a patch that replaces a method by `wrapper(real, self, ...)`."""
    real = getattr(owner, name)

    def replaced(self: Any, *args: Any, **kwargs: Any) -> Any:
        return wrapper(real, self, *args, **kwargs)

    return lambda: patch.object(owner, name, replaced)


def instead(owner: Any, name: str, new: Any) -> Callable[[], Patch]:
    """Return a patch that replaces an attribute."""
    getattr(owner, name)  # a bug planted nowhere would never be noticed
    return lambda: patch.object(owner, name, new)


def _lose_some_ends(real: Wrapper, self: Scheduler, event: Any, *args: Any) -> None:
    if event.visit_id % 7:
        real(self, event, *args)


def _count_ends_twice(real: Wrapper, self: Scheduler, event: Any, *args: Any) -> None:
    real(self, event, *args)
    self.statistics.ended += 1


def _leak_uplinks(real: Wrapper, self: Dispatch, slot: int, *args: Any) -> None:
    uplink = self._table.flight_uplink[slot]
    real(self, slot, *args)
    if uplink >= 0 and slot % 5 == 0 and self.uplinks.in_flight[uplink] == 0:
        self.uplinks.in_flight[uplink] = 1


def _leak_hosts(real: Wrapper, self: Dispatch, slot: int, *args: Any) -> None:
    index = self._table.flight_host[slot]
    real(self, slot, *args)
    if index >= 0 and slot % 5 == 0:
        self.hosts.by_index[index].in_flight += 1


def _free_the_wrong_uplink(real: Wrapper, self: Dispatch, slot: int, *args: Any) -> None:
    if self._table.uplink[slot] >= 0 <= self._table.flight_uplink[slot]:
        self._table.flight_uplink[slot] = self._table.uplink[slot]  # where it hangs now, not where it was begun
    real(self, slot, *args)


def _ask_no_uplink_cap(real: Wrapper, self: Dispatch, settings: Any) -> None:
    real(self, settings.model_copy(update={"visits_per_uplink_max": 1000}))


def _starve_ordinary(real: Wrapper, self: Dispatch) -> int:
    queue = real(self)
    return -1 if queue == CameraClass.ORDINARY else queue


def _launch_some_twice(real: Wrapper, self: Dispatch, slot: int, *args: Any) -> None:
    real(self, slot, *args)
    if self._next_visit_id % 20 == 0:
        real(self, slot, *args)


def _serve_the_last_first(real: Wrapper, self: Dispatch, slot: int) -> None:
    self._table.deadline[slot] = -self._table.deadline[slot]
    real(self, slot)


def _end_no_outage(real: Wrapper, self: Hosts, index: int, *args: Any) -> bool:
    was_out = self.by_index[index].in_outage
    real(self, index, *args)
    self.by_index[index].in_outage = was_out
    return False


def _probe_at_once(real: Wrapper, self: Hosts, index: int, slot: int, was_failing: bool, now_ns: int) -> None:
    real(self, index, slot, was_failing, now_ns)
    self.by_index[index].next_probe_ns = now_ns


def _forget_some(real: Wrapper, self: Scheduler, slot: int) -> None:
    if self.table.visits[slot] != 4:
        real(self, slot)


def _hide_what_was_shed(real: Wrapper, self: Statistics, *args: Any) -> None:
    real(self, *args)
    self.shed.clear()


def _forget_the_credit(real: Wrapper, self: Timing, slot: int, now_ns: int) -> bool:
    self._table.credit[slot] = 0
    return bool(real(self, slot, now_ns))


def _count_up_only(real: Wrapper, self: Timing, slot: int, change: int) -> None:
    if change > 0:
        real(self, slot, change)


def _expect_no_push(real: Wrapper, self: Timing, slot: int, now_ns: int) -> None:
    real(self, slot, now_ns)
    self._table.release[slot] = NEVER_NS


def _promise_only(real: Wrapper, self: Scheduler, event: Any, now_ns: int, actions: list[Any]) -> None:
    actions.append(CheckNowAnswered(CheckNowReport(accepted=tuple(event.camera_ids))))


def _endless_back_off(failures: int, reason: Any, period_ns: int, settings: Any) -> int:
    return round(first_wait_s(reason, settings) * SECOND) << failures


def _lose_the_wish(real: Wrapper, self: Streams, slot: int, event: Any, *args: Any) -> None:
    real(self, slot, event._replace(main_next=False), *args)


@contextmanager
def _draw_anew() -> Iterator[None]:
    chance = random.Random()
    with patch.object(timing, "uniform", lambda seed, n: chance.random()):
        yield


BUGS = (
    Bug("a completion is lost", ("calm",), around(Scheduler, "_on_visit_ended", _lose_some_ends)),
    Bug("a completion counts twice", ("calm",), around(Scheduler, "_on_visit_ended", _count_ends_twice)),
    Bug("a recorder's slot leaks", ("calm",), around(Dispatch, "end_visit", _leak_uplinks)),
    Bug("a platform's slot leaks", ("calm",), around(Dispatch, "end_visit", _leak_hosts)),
    Bug(
        "a moved camera frees the wrong recorder",
        ("interference",),
        around(Dispatch, "end_visit", _free_the_wrong_uplink),
    ),
    Bug(
        "the cap of recorders is not asked", ("calm", "broken"), around(Dispatch, "_apply_settings", _ask_no_uplink_cap)
    ),
    Bug("one visit too many in flight", ("overload",), instead(Dispatch, "visits_allowed", property(lambda _: 2))),
    Bug("the rates are off", ("calm",), instead(Rate, "next_ns", lambda self, arrival_ns: 0)),
    Bug("the back-off is dropped", ("broken",), instead(timing, "backoff_ns", lambda *_: SECOND)),
    Bug("the back-off has no ceiling", ("broken",), instead(timing, "backoff_ns", _endless_back_off)),
    Bug("a class starves", ("overload",), around(Dispatch, "_next_queue", _starve_ordinary)),
    Bug("the last to come goes first", ("overload",), around(Dispatch, "make_ready", _serve_the_last_first)),
    Bug("an expired order never lands", ("broken",), instead(Dispatch, "expired_visit", lambda self, now_ns: 0)),
    Bug("an outage never ends", ("outage",), around(Hosts, "record_answer", _end_no_outage)),
    Bug("an outage is probed all the time", ("outage",), around(Hosts, "record_failed_probe", _probe_at_once)),
    Bug("windows are ignored", ("hours",), instead(Timing, "_next_open", lambda self, slot, at_ns: at_ns)),
    Bug("looks run over closing time", ("hours",), instead(Timing, "_next_close", lambda self, slot, at_ns: None)),
    Bug("key points are stretched first", ("overload",), instead(overload, "_ORDER", overload._ORDER[::-1])),
    Bug("whoever is put off has no turn", ("overload",), around(Timing, "shed_for_overload", _forget_the_credit)),
    Bug("a camera is placed twice", ("calm",), around(Dispatch, "_start_visit", _launch_some_twice)),
    Bug("a camera is forgotten", ("calm",), around(Scheduler, "_push_due", _forget_some)),
    Bug("a removed camera is visited", ("interference",), instead(Scheduler, "_on_removed", lambda *_: None)),
    Bug("check now is promised only", ("calm",), around(Scheduler, "_on_check_now", _promise_only)),
    Bug("a push is never missed", ("calm",), around(Timing, "after_push", _expect_no_push)),
    Bug("lost periods are hidden", ("broken",), around(Statistics, "record_periods", _hide_what_was_shed)),
    Bug("classes are miscounted", ("broken",), around(Timing, "count", _count_up_only)),
    Bug("a sub-stream that failed is visited again", ("streams",), instead(Streams, "ended", lambda *_: False)),
    Bug("people are shown the sub-stream", ("streams",), instead(streams, "_ON_MAIN", streams._ON_MAIN & ~URGENT)),
    Bug("the judge's wish for the main stream is lost", ("streams",), around(Streams, "judged", _lose_the_wish)),
    Bug("the main stream is forgotten", ("streams",), instead(Streams, "_is_main_due", lambda *_: False)),
    Bug("draws differ from run to run", ("calm",), _draw_anew),
)


def hunt(worlds: Iterable[str], seeds: Iterable[int] = SEEDS) -> Caught | None:
    """Run the worlds of these names until a checker fails; None if none does."""
    for plan in WORLDS:
        if plan.name not in worlds:
            continue
        for seed in seeds:
            try:
                World(plan, seed).run().replay()
            except (SchedulerInvariantError, AuditError) as error:
                checker = {SchedulerInvariantError: "invariants", ReplayError: "replay"}.get(type(error), "auditor")
                return Caught(checker, plan.name, seed, str(error))
            except OverflowError as error:  # a counter below zero, which its column does not hold
                return Caught("the core itself", plan.name, seed, str(error))
    return None


def main() -> int:
    """Plant all bugs and show who caught them; return 1 if one escaped."""
    parser = argparse.ArgumentParser(description="Break the scheduler one rule at a time; show that a checker notices.")
    parser.parse_args()
    console = Console()
    table = Table("planted bug", "caught by", "world", "seed", "what it said", header_style="bold")
    escaped = 0
    for bug in BUGS:
        with bug.plant():
            caught = hunt(bug.worlds)
        if caught is None:
            escaped += 1
            table.add_row(bug.name, "[bold red]NOBODY", ", ".join(bug.worlds), "", "")
        else:
            table.add_row(bug.name, caught.checker, caught.world, str(caught.seed), caught.message)
    sound = hunt(plan.name for plan in WORLDS)
    if sound is not None:
        table.add_row("[bold red]none: the core as it is", sound.checker, sound.world, str(sound.seed), sound.message)
    console.print(table)
    console.print(f"{len(BUGS) - escaped} of {len(BUGS)} planted bugs caught")
    console.print(f"the core as it is {'passes' if sound is None else 'does not pass'} the same worlds")
    return 1 if escaped or sound is not None else 0


if __name__ == "__main__":
    raise SystemExit(main())
