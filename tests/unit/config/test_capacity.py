"""Caps that cannot carry the periods, said with the arithmetic; cameras from a real scheduler."""

from datetime import date
from typing import Any

import pytest

from engine.config import Settings
from engine.config.calendar import Calendar, Span
from engine.config.capacity import Fleet, Load, capacity_shortfalls
from engine.config.feed import FeedSettings
from engine.config.intake import IntakeSettings
from engine.config.schema import SchedulerSettings, WorkerSettings
from engine.hub.visiting.camera_plan import plan_of
from engine.model.camera import Camera, KeyPoint
from engine.scheduler import capacity_warnings
from engine.scheduler.core import Scheduler
from engine.scheduler.events import CamerasRemoved, CamerasUpserted
from engine.scheduler.periods.windows import calendar_never_open

FIRST_OF_OCTOBER_2026 = 1_790_784_000_000_000_000
AMPLE = {"starts_per_s_max": 10_000, "host_starts_per_s_max": 10_000, "visits_per_host_max": 100_000}


def settings(feed: FeedSettings | None = None, workers: int = 0, queue: int = 100_000, **scheduler: Any) -> Settings:
    return Settings(
        feed=feed or FeedSettings(feeders=64),
        intake=IntakeSettings(queue_frames_max=queue),
        scheduler=SchedulerSettings(**{**AMPLE, "visits_max": 100_000, **scheduler}),
        worker=WorkerSettings(count=workers),
    )


def put(*cameras: Camera) -> Scheduler:
    scheduler = Scheduler(SchedulerSettings())
    scheduler.handle(CamerasUpserted([plan_of(camera) for camera in cameras]), 0)
    return scheduler


def kitchen(number: int, url: str = "rtsp://10.0.0.1/1", **changes: Any) -> Camera:
    return Camera(f"c{number}", url, **{"key_point": KeyPoint.COOKING, "uplink": f"nvr-{number}", **changes})


def warnings(scheduler: Scheduler, chosen: Settings, calendar: Calendar | None = None) -> list[str]:
    return capacity_warnings.warnings(scheduler, chosen, calendar or Calendar(), 1000, FIRST_OF_OCTOBER_2026)


@pytest.mark.parametrize(
    ("load", "chosen", "said"),
    [
        (
            Load(131_072),
            settings(key_period_s=300, visits_max=500),
            "131,072 cameras x 3 s / 300 s = 1,311 visits in flight, scheduler.visits_max is 500; raise the cap, or "
            "lengthen the periods",
        ),
        (
            Load(0, 131_072),
            settings(ordinary_period_s=300, visits_max=500),
            "131,072 cameras x 3 s / 300 s = 1,311 visits in flight, scheduler.visits_max is 500; raise the cap, or "
            "lengthen the periods",
        ),
        (
            Load(65_536, 65_536),
            settings(visits_max=300),
            "(65,536 key points / 900 s + 65,536 others / 1,800 s) x 3 s = 328 visits in flight, scheduler.visits_max "
            "is 300; raise the cap, or lengthen the periods",
        ),
        (
            Load(65_536, 65_536),
            settings(key_period_s=600, ordinary_period_s=600, visits_max=600),
            "131,072 cameras x 3 s / 600 s = 656 visits in flight, scheduler.visits_max is 600; raise the cap, or "
            "lengthen the periods",
        ),
        (
            Load(65_536, 65_536),
            settings(queue=512),
            "(65,536 key points / 900 s + 65,536 others / 1,800 s) x 3 s = 328 visits in flight, "
            "intake.queue_frames_max is 512, and half of it (256) bounds them; raise it, or lengthen the periods",
        ),
        (
            Load(90_000, 90_000),
            settings(starts_per_s_max=100),
            "90,000 key points / 900 s + 90,000 others / 1,800 s = 150 visits a second, scheduler.starts_per_s_max is "
            "100; raise the cap, or lengthen the periods",
        ),
        (
            Load(300_100),
            settings(FeedSettings(), key_period_s=900),
            "300,100 cameras x 3 s / 900 s = 1,001 visits in flight, 1 feeders x 1,000 (feed.visits_per_feeder_max) "
            "carry 1,000; add feeders",
        ),
        (
            Load(131_072),
            settings(key_period_s=300, workers=3),
            "131,072 cameras / 300 s x 7.2 ms = 3.2 workers, worker.count is 3; add workers, or lengthen the periods "
            "(they are stretched otherwise)",
        ),
    ],
)
def test_a_bound_that_cannot_carry_the_periods_is_said_with_the_arithmetic(
    load: Load, chosen: Settings, said: str
) -> None:
    assert list(capacity_shortfalls(chosen, Fleet(load), cores=1000)) == [said]


def test_cores_that_cannot_check_so_many_are_said() -> None:
    fleet = Fleet(Load(65_536, 65_536))
    chosen = settings(key_period_s=300, ordinary_period_s=600)
    assert list(capacity_shortfalls(chosen, fleet, cores=2)) == [
        "(65,536 key points / 300 s + 65,536 others / 600 s) x 9 ms = 3 cores, there are 2; add cores, or lengthen the "
        "periods (they are stretched otherwise)"
    ]
    assert list(capacity_shortfalls(chosen, fleet, cores=3)) == []


def test_bounds_that_carry_the_periods_say_nothing() -> None:
    assert list(capacity_shortfalls(settings(key_period_s=300, visits_max=1311), Fleet(Load(131_072)), cores=4)) == []
    assert list(capacity_shortfalls(settings(visits_max=1), Fleet(Load()), cores=1)) == []


def test_what_is_above_a_cap_is_written_above_it() -> None:
    (said,) = capacity_shortfalls(settings(key_period_s=300, visits_max=500), Fleet(Load(50_001)), cores=1000)
    assert "= 501 visits in flight" in said


def test_the_worst_recorder_is_named_and_the_others_are_counted() -> None:
    busy = [kitchen(n, uplink=f"nvr-{n % 3}") for n in range(1000)]
    scheduler = put(*busy, kitchen(2000, uplink="nvr-1"), kitchen(2001, uplink="nvr-1"), kitchen(2002, uplink="calm"))
    assert warnings(scheduler, settings(key_period_s=600)) == [
        "recorder nvr-1: 335 cameras x 3 s / 600 s = 1.7 visits in flight, scheduler.visits_per_uplink_max is 1 "
        "(2 more recorders like it); raise the cap, or lengthen the periods"
    ]


def test_a_platform_is_held_to_its_own_cap_and_to_its_rate() -> None:
    cameras = [kitchen(n, f"rtsp://Big.example/{n}") for n in range(2000)]
    others = [kitchen(n, f"rtsp://small.example/{n}", key_point=KeyPoint.STORAGE) for n in range(2000, 2700)]
    chosen = settings(host_visits_max={"small.example": 1}, host_starts_per_s_max=2)
    assert warnings(put(*cameras, *others), chosen) == [
        "platform small.example: 700 cameras x 3 s / 1,800 s = 1.2 visits in flight, "
        "scheduler.host_visits_max.'small.example' is 1; raise the cap, or lengthen the periods",
        "platform big.example: 2,000 cameras / 900 s = 2.3 connections a second, scheduler.host_starts_per_s_max is 2; "
        "raise the cap, or lengthen the periods",
    ]


def test_cameras_that_are_not_rtsp_are_held_to_what_the_demuxers_carry() -> None:
    scheduler = put(*(kitchen(n, f"rtmp://10.0.0.2/{n}") for n in range(6000)), *map(kitchen, range(6000, 9000)))
    assert warnings(scheduler, settings()) == [
        "not RTSP: 6,000 cameras x 3 s / 900 s = 20 visits in flight, 1 demuxers x 16 (feed.demux_threads) carry 16; "
        "add demuxers"
    ]
    assert warnings(scheduler, settings(FeedSettings(demuxers=0))) == [
        "6,000 cameras are not RTSP, and feed.demuxers is 0: nobody visits them; add demuxers"
    ]


def test_only_cameras_that_are_visited_count() -> None:
    idle = [kitchen(n, enabled=False) for n in range(5000)] + [kitchen(n, "", push=True) for n in range(5000, 9000)]
    scheduler = put(*idle, *(kitchen(n, key_point=KeyPoint.STORAGE) for n in range(9000, 9100)), kitchen(9999))
    scheduler.handle(CamerasRemoved([f"c{n}" for n in range(9000, 9050)]), 1)
    fleet = capacity_warnings.fleet(scheduler, SchedulerSettings())
    assert fleet.cameras == Load(key_points=1, ordinary=50)
    everything = SchedulerSettings(key_points=(KeyPoint.STORAGE,))
    assert capacity_warnings.fleet(scheduler, everything).cameras == Load(key_points=50, ordinary=1)


def test_hours_that_the_calendar_never_lets_come_are_said_with_their_cameras() -> None:
    scheduler = put(
        *(kitchen(n, region="130102", hours="mon-fri 05:00-19:00") for n in range(12)),
        kitchen(20, region="4403", hours="mon-fri 05:00-19:00"),
        kitchen(21, region="130102", hours="mon-fri 05:00-19:00", enabled=False),
    )
    past = Calendar(terms=(Span(region="13", first=date(2025, 9, 1), last=date(2026, 7, 10)),))
    assert warnings(scheduler, settings(), past) == [
        "hours 'mon-fri 05:00-19:00' in the terms of region 13 do not come in the next 400 days: 12 cameras have no "
        "period to keep; mend the hours, or terms and holidays in scheduler.calendar_file"
    ]
    assert warnings(scheduler, settings()) == []


def test_a_calendar_is_looked_at_without_a_registry_too() -> None:
    past = Calendar(
        terms=(Span(region="13", first=date(2025, 9, 1), last=date(2026, 7, 10)),), sites={"s17": "sat 05:00-09:00"}
    )
    assert calendar_never_open(past, "", FIRST_OF_OCTOBER_2026) == [
        "hours (all day) in the terms of region 13 do not come in the next 400 days; mend the hours, or terms and "
        "holidays in scheduler.calendar_file"
    ]
    assert calendar_never_open(Calendar(), "sat 05:00-09:00", FIRST_OF_OCTOBER_2026) == []
