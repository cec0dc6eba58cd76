"""Rehearsals from beginning to end: what they promise, what they answer, and that they always say the same."""

import itertools
from pathlib import Path

import pytest

from engine.batch.registry_files import read_registry
from engine.config.feed import FeedSettings
from engine.config.intake import IntakeSettings
from engine.config.schema import Settings
from engine.model.camera import Camera, KeyPoint
from engine.scheduler.status import scheduler_status
from engine.simulation.faults import PRESETS, Faults, PlatformRestart
from engine.simulation.report import Report
from engine.simulation.simulation import CHECK_INTERVAL_NS
from engine.simulation.world import Interval, Pattern, World
from tests.support.scheduler.simulations import PLAIN, report, run_simulation, settings

pytestmark = pytest.mark.long

ALWAYS = World(hours=(Pattern(hours="", share=1),))


def test_the_same_seed_gives_the_same_digest_and_another_gives_another() -> None:
    def digest(seed: int) -> str:
        return str(report(600, 1, faults="all", seed=seed).figures["digest"])

    first = digest(1)
    assert digest(1) == first
    assert digest(2) != first


def test_the_digest_does_not_depend_on_how_often_somebody_looks() -> None:
    from engine.simulation.simulation import Simulation
    from tests.support.scheduler.simulations import scenario

    whole, steps = Simulation(scenario(600, 1)), Simulation(scenario(600, 1))
    for now_ns in range(0, 3600 * 10**9, 7 * 10**9):
        steps.advance(now_ns)
        scheduler_status(steps.scheduler, now_ns)
    whole.run()
    steps.run()
    assert whole.digest == steps.digest
    assert whole.visits == steps.visits


def test_without_faults_the_default_plan_keeps_every_period() -> None:
    figures = report(1500, 12).figures
    assert figures["coverage"]["key_point"] == 1.0
    assert figures["coverage"]["ordinary"] == 1.0
    assert figures["coverage_by_county"]["min"] == 1.0
    assert figures["promises"]["broken"] == []
    assert figures["shed"] == {}
    assert figures["failures"] == {}
    assert figures["achieved_period_s"]["key_point"] == pytest.approx(900, rel=0.01)
    assert figures["achieved_period_s"]["ordinary"] == pytest.approx(1800, rel=0.01)
    assert figures["promises"]["unseen_periods_max"]["key_point"] < 1.7, "the second look may be one and a half off"


def test_in_a_small_world_every_event_is_checked_and_nothing_is_broken() -> None:
    figures = report(64, 3, faults="all", plan=settings(key_period_s=120, ordinary_period_s=240)).figures
    assert figures["promises"]["broken"] == []
    assert figures["troubles"][0]["cameras"] == 64


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_goes_wrong_no_promise_is_broken(seed: int) -> None:
    figures = report(2048, 8, faults="all", seed=seed).figures
    assert figures["promises"]["broken"] == []
    assert figures["promises"]["unseen_periods_max"]["key_point"] < 2
    assert figures["connections"]["max"] <= 64, "one platform, and its cap"
    assert {trouble["name"] for trouble in figures["troubles"]} == {"platform restart", "power cut", "storm"}
    after_s = {trouble["name"]: trouble["recovered_after_s"] for trouble in figures["troubles"]}
    assert after_s["storm"] < 1800, "key points, within twice their period"
    assert after_s["platform restart"] < 1800
    assert after_s["power cut"] is None, "the storm took them again before it could be said"
    assert figures["outages"] >= 2
    assert figures["expired"] > 0


def test_a_flood_of_false_looks_disturbs_no_period() -> None:
    faults = Faults(false_look_share=0.05, picture_faults_per_camera_day=2, picture_fault_s=1200)
    figures = report(1000, 3, faults=faults).figures
    assert figures["visits_by_class"]["suspicious"] > 300
    assert figures["coverage"]["key_point"] == 1.0
    assert figures["promises"]["broken"] == []


def test_with_as_many_cores_as_the_report_asks_for_periods_are_kept_and_with_far_fewer_not() -> None:
    world = ALWAYS.model_copy(update={"streams": PLAIN.streams})
    plan = settings(key_period_s=10, ordinary_period_s=20, visits_max=5000, visits_per_host_max=5000,
                    host_starts_per_s_max=5000, starts_per_s_max=5000, visits_per_uplink_max=4)  # fmt: skip
    plan = plan.model_copy(update={"feed": FeedSettings(visits_per_feeder_max=5000),
                                   "intake": IntakeSettings(queue_frames_max=4000)})  # fmt: skip

    def kept(cores: int) -> Report:
        return report(3000, 0.05, plan=plan, world=world, cores=cores)

    answer = kept(32).figures["cores_needed"]
    assert answer == 3  # 2,250 / 10 s + 750 / 20 s = 262.5 visits a second of 10 ms, nine tenths of a core
    enough, few = kept(answer).figures, kept(1).figures
    assert enough["coverage"]["key_point"] == 1.0
    assert enough["stretch_max"] == {"key_point": 1, "ordinary": 1, "suspicious": 1, "offline": 1}
    assert few["coverage"]["key_point"] < 0.6
    assert few["cpu"]["cores_busy_max"] == pytest.approx(1, abs=0.01)
    assert few["cpu"]["frames_waiting_max"] <= 2000, "half of the intake"


def test_with_as_many_connections_as_the_report_asks_for_periods_are_kept_and_with_far_fewer_not() -> None:
    loose = {"visits_per_host_max": 1000, "visits_per_uplink_max": 4}

    def kept(visits_max: int) -> Report:
        plan = settings(key_period_s=60, ordinary_period_s=120, visits_max=visits_max, **loose)
        return report(1500, 0.5, plan=plan, world=ALWAYS)

    answer = kept(1000).figures["connections_needed"]
    enough, few = kept(answer).figures, kept(answer // 3).figures
    assert enough["coverage"]["key_point"] == 1.0
    assert enough["coverage"]["ordinary"] == 1.0
    assert enough["lag_s"]["key_point"]["p50"] == 0
    assert enough["connections"]["max"] <= answer
    assert few["coverage"]["key_point"] < 0.8
    assert set(few["shed"]) == {"overload"}


def test_in_overload_key_points_are_stretched_last_and_nothing_queues_up() -> None:
    plan = settings(key_period_s=60, ordinary_period_s=60, visits_max=70, visits_per_host_max=1000,
                    visits_per_uplink_max=4)  # fmt: skip
    figures = report(2000, 0.6, plan=plan, world=ALWAYS).figures
    assert figures["stretch_max"]["ordinary"] > 2
    assert figures["stretch_max"]["key_point"] < 1.3
    assert figures["coverage"]["key_point"] > 0.8 > 0.5 > figures["coverage"]["ordinary"]
    assert figures["lag_s"]["key_point"]["p99"] < 30, "a camera whose turn it is does not wait for long"
    assert set(figures["shed"]) == {"overload"}
    assert figures["promises"]["broken"] == []


def test_a_platform_that_cannot_carry_its_cameras_is_named_and_breaks_no_promise() -> None:
    plan = settings(key_period_s=60, ordinary_period_s=60, visits_per_host_max=20)
    figures = report(1000, 1, plan=plan, world=ALWAYS).figures
    (worst,) = [
        figure for figure in figures["bottlenecks"]["worst"] if figure["key"] == "scheduler.visits_per_host_max"
    ]
    assert (worst["name"], worst["cameras"], worst["allowed"]) == ("platform-0", 1000, 20)
    assert worst["wanted"] == pytest.approx(1000 / 60 * (0.5 + 2.525), rel=0.05)
    assert figures["coverage"]["key_point"] < 0.6
    assert set(figures["shed"]) <= {"host_cap", "uplink_cap"}
    assert figures["promises"]["broken"] == []


def test_a_recorder_that_cannot_carry_its_cameras_is_named() -> None:
    crowd = [Camera(f"c{n}", f"rtsp://p/{n}", uplink="one", key_point=KeyPoint.COOKING) for n in range(40)]
    others = [Camera(f"d{n}", f"rtsp://p/{n}", uplink=f"u{n}", key_point=KeyPoint.COOKING) for n in range(40)]
    figures = report([*crowd, *others], 0.5, plan=settings(key_period_s=30), world=PLAIN).figures
    assert figures["bottlenecks"]["count"] == 1
    assert figures["bottlenecks"]["worst"][0] == {
        "name": "one", "cameras": 40, "wanted": 2.0, "allowed": 1.0, "key": "scheduler.visits_per_uplink_max",
    }  # fmt: skip
    assert figures["promises"]["broken"] == []


def test_a_deadline_shorter_than_the_interval_fails_visits() -> None:
    plan = Settings(feed=FeedSettings(deadline_s=3, connect_timeout_s=1))
    slow = PLAIN.model_copy(update={"intervals": (Interval(seconds=5, share=1),)})
    figures = report(600, 0.5, plan=plan, world=slow).figures
    assert figures["failures"]["timeout_keyframe"] / figures["visits"] == pytest.approx(0.5, abs=0.15)


def test_the_first_round_stands_apart() -> None:
    figures = report(4096, 2).figures
    first = figures["first_round"]
    assert 60 <= first["lasted_s"] <= 600
    assert first["connections_max"] == 64, "everybody at once, within the platform's cap"
    assert first["lag_s"]["key_point"]["max"] > 30
    assert figures["connections"]["max"] < 40
    assert figures["lag_s"]["key_point"]["p99"] == 0


def test_the_rows_of_the_course_add_up() -> None:
    simulation = run_simulation(1000, 3, faults="all")
    rows = simulation.timeline.rows
    assert rows[0].at_s == 0
    assert rows[-1].until_s == 3 * 3600
    assert all(row.until_s == other.at_s for row, other in itertools.pairwise(rows))
    assert sum(sum(row.started) for row in rows) == simulation.visits
    assert all(0 <= row.core_share <= 1 for row in rows)
    assert simulation.oracle.checks == 3 * 3600 * 10**9 // CHECK_INTERVAL_NS


def test_a_platform_that_restarts_is_probed_by_few_and_seen_again_soon() -> None:
    faults = Faults(platform_restarts=(PlatformRestart(at_share=0.5, for_s=600),))
    figures = report(1000, 2, faults=faults).figures
    assert figures["outages"] == 1
    assert sum(figures["failures"].values()) < 60, "some before it is noticed, then probes"
    assert sum(figures["presumed"].values()) > 300
    assert set(figures["shed"]) == {"outage"}
    (trouble,) = figures["troubles"]
    assert trouble["recovered_after_s"] <= 900


def test_a_registry_is_rehearsed(tmp_path: Path) -> None:
    rows = tmp_path / "cameras.csv"
    lines = ["camera_id,url,uplink,region,key_point,hours"]
    lines += [
        f"c{n},rtsp://platform-{n % 2}.example/{n},nvr-{n // 4},13010{n % 3 + 1},cooking,07:00-12:00"
        for n in range(120)
    ]
    rows.write_text("\n".join(lines), encoding="utf-8")
    found, problems = read_registry(rows, Settings())
    assert not problems
    figures = report(found, 8).figures
    assert (figures["cameras"], figures["uplinks"], figures["platforms"], figures["counties"]) == (120, 30, 2, 3)
    assert figures["coverage"] == {"key_point": 1.0, "ordinary": None, "suspicious": None, "offline": None}
    periods = 120 * 5 * 3600 / 900
    assert figures["visits"] == pytest.approx(periods, rel=0.15), "five hours of work, and a look or two in the rest"


def test_cameras_that_only_ffmpeg_can_visit_need_its_threads() -> None:
    cameras = [
        Camera(f"c{n}", f"http://p{n % 8}/{n}.flv", uplink=f"u{n}", key_point=KeyPoint.COOKING) for n in range(600)
    ]

    def coverage(threads: int) -> float:
        plan = settings(key_period_s=60).model_copy(update={"feed": FeedSettings(demux_threads=threads)})
        return float(report(cameras, 0.25, plan=plan, world=PLAIN).figures["coverage"]["key_point"])

    assert coverage(32) == 1.0, "10 visits a second of 1.5 s"
    assert coverage(8) < 0.8


def test_all_presets_are_rehearsed() -> None:
    for name in PRESETS:
        figures = report(600, 1, faults=name).figures
        assert figures["promises"]["broken"] == [], name
