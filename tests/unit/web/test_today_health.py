"""What the first page says of the patrol itself: praise only where every period was kept."""

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from starlette.requests import Request

from engine.web.console.languages import language
from engine.web.console.page import Page
from engine.web.console.today.health import BAD, GOOD, PLAIN, Health, Line, lines
from patrol.v1.patrol_pb2 import MachineStatus, PatrolStatus
from patrol.v1.scheduler_pb2 import ClassStatus, Pause, SchedulerStatus

READY = PatrolStatus(machine=MachineStatus(workers_ready=1, feeders_ready=1), start_time=Timestamp(seconds=1))
NO_OUTAGE = Line(GOOD, "No platform is out.")


def page(code: str = "en") -> Page:
    calls: Any = None
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    return Page(Request(scope), "/console", language(code), None, calls, "")


def said(schedule: SchedulerStatus, status: PatrolStatus = READY) -> list[Line]:
    return lines(page(), Health(status, schedule))


def key_points(**numbers: Any) -> SchedulerStatus:
    return SchedulerStatus(classes=[ClassStatus(name="key_point", stretch=1.0, **numbers)])


def test_every_key_point_was_visited_within_its_period() -> None:
    assert said(key_points(periods_due=1200, coverage=1.0)) == [
        Line(GOOD, "Every key point was visited within its period. 1,200 of 1,200 periods."),
        NO_OUTAGE,
    ]


def test_one_missed_period_ends_the_praise_and_says_why() -> None:
    schedule = key_points(periods_due=1200, coverage=1199 / 1200)
    schedule.shed["outage"] = 1.0
    assert said(schedule) == [
        Line(BAD, "Of the periods of key points, 99.9% were kept: 1,199 of 1,200."),
        Line(BAD, "Periods without a visit because their platform was out: 1."),
        NO_OUTAGE,
    ]


def test_an_overloaded_machine_says_so() -> None:
    schedule = key_points(periods_due=10, coverage=0.5)
    schedule.classes[0].stretch = 2.0
    assert Line(
        BAD, "The machine is overloaded: the period of key points is 2.0 times as long as it should be."
    ) in said(schedule)


def test_outages_pauses_and_processes_that_are_not_ready_are_named() -> None:
    schedule = SchedulerStatus(outages=[f"host{n}" for n in range(7)], pauses=[Pause(cameras=3), Pause(cameras=4)])
    assert said(schedule, PatrolStatus(machine=MachineStatus(workers_ready=1))) == [
        Line(PLAIN, "No period was due yet since the engine started."),
        Line(
            BAD,
            "Platforms that are out: host0, host1, host2, host3, host4 and 2 more. Their cameras count as offline.",
        ),
        Line(BAD, "7 cameras are paused by a person and are not visited."),
        Line(BAD, "Some processes of the engine are not ready: pictures wait or are not fetched."),
    ]


def test_who_may_not_see_it_is_told_nothing() -> None:
    assert lines(page(), Health(PatrolStatus(), None)) == []


def test_it_speaks_chinese() -> None:
    health = Health(READY, key_points(periods_due=2, coverage=1.0))
    assert lines(page("zh"), health)[0].text == "每个重点点位都已按期巡查。 应巡查 2 次，按期 2 次。"
