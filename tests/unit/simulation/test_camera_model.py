"""The world of a rehearsal: how long visits last, and troubles that overlap, flap and end."""

import statistics

import numpy as np
import pytest

from engine.config.feed import FeedSettings
from engine.config.schema import Settings
from engine.model.visit import FailureReason
from engine.scheduler.classes import REASONS
from engine.simulation.camera_model import NEVER_ANSWERED, CameraModel
from engine.simulation.faults import Faults, PlatformRestart, PowerCut, Storm
from engine.simulation.fleet import Fleet, generate_fleet
from tests.support.scheduler.simulations import PLAIN, at_ns, camera_model, settings

HOUR_S = 3600
UP = ""


@pytest.fixture(scope="module")
def fleet() -> Fleet:
    """Four platforms, eighteen counties."""
    return generate_fleet(14_000, PLAIN, settings().scheduler, 1)


def why(world: CameraModel, camera: int) -> str:
    return REASONS[world.unreachable_reason[camera] - 1].value if world.unreachable_reason[camera] else UP


def lasted(world: CameraModel, camera: int, visits: int = 400) -> list[float]:
    return sorted(world.visit(camera)[1] / 1e9 for _ in range(visits))


def test_a_visit_lasts_its_connecting_and_any_part_of_an_interval(fleet: Fleet) -> None:
    found = lasted(camera_model(fleet, Faults()), 0, 2000)
    assert found[0] == pytest.approx(0.5, abs=0.02)
    assert found[-1] == pytest.approx(2.5, abs=0.02)
    assert statistics.mean(found) == pytest.approx(1.5, abs=0.05)
    assert statistics.median(found) == pytest.approx(1.5, abs=0.1), "as many end in the first half as in the second"


def test_a_keyframe_that_comes_after_the_deadline_is_none(fleet: Fleet) -> None:
    world = camera_model(fleet, Faults(), plan=Settings(feed=FeedSettings(deadline_s=1.5, connect_timeout_s=1.0)))
    ends = [world.visit(0) for _ in range(1000)]
    late = [duration_ns for reason, duration_ns in ends if reason >= 0]
    assert {REASONS[reason] for reason, _ in ends if reason >= 0} == {FailureReason.TIMEOUT_KEYFRAME}
    assert set(late) == {at_ns(1.5)}
    assert len(late) / len(ends) == pytest.approx(0.5, abs=0.05), "half of the waits of up to 2 s"


def test_time_outs_last_what_the_configuration_says(fleet: Fleet) -> None:
    plan = Settings(feed=FeedSettings(deadline_s=7, connect_timeout_s=3))
    for reason, lasts_s in ((FailureReason.TIMEOUT_CONNECT, 3), (FailureReason.TIMEOUT_KEYFRAME, 7)):
        world = camera_model(fleet, Faults(offline_share=1, offline_reasons={reason: 1}), plan=plan)
        assert world.visit(5) == (REASONS.index(reason), at_ns(lasts_s))


def test_no_failure_lasts_longer_than_the_deadline(fleet: Fleet) -> None:
    plan = Settings(feed=FeedSettings(deadline_s=2, connect_timeout_s=1))
    world = camera_model(fleet, Faults(offline_share=1, offline_reasons={FailureReason.UNREACHABLE: 1}), plan=plan)
    assert world.visit(5)[1] == at_ns(2)


def test_some_answers_never_come(fleet: Fleet) -> None:
    world = camera_model(fleet, Faults(lost_share=0.2))
    lost = sum(world.visit(0)[1] == NEVER_ANSWERED for _ in range(2000))
    assert lost / 2000 == pytest.approx(0.2, abs=0.03)


def test_the_dead_are_as_many_as_said_for_the_reasons_said(fleet: Fleet) -> None:
    world = camera_model(fleet, Faults(offline_share=0.05))
    dead = [camera for camera in range(len(fleet)) if world.unreachable_reason[camera]]
    assert len(dead) == 700
    refused = sum(why(world, camera) == "refused" for camera in dead)
    assert refused / 700 == pytest.approx(0.25, abs=0.05)


def test_a_platform_that_restarts_refuses_all_of_its_cameras_and_no_others(fleet: Fleet) -> None:
    world = camera_model(fleet, Faults(platform_restarts=(PlatformRestart(at_share=0.5, for_s=60),)))
    (trouble,) = world.troubles
    hosts = {fleet.hosts[fleet.host[camera]] for camera in trouble.cameras}
    assert len(hosts) == 1
    assert len(trouble.cameras) == sum(fleet.hosts[host] in hosts for host in fleet.host)
    world.advance(at_ns(HOUR_S / 2 - 1))
    assert not any(world.unreachable_reason)
    world.advance(at_ns(HOUR_S / 2))
    assert {why(world, camera) for camera in trouble.cameras} == {"refused"}
    assert sum(map(bool, world.unreachable_reason)) == len(trouble.cameras)
    world.advance(at_ns(HOUR_S / 2 + 60))
    assert not any(world.unreachable_reason)
    assert {world.reachable_since[camera] for camera in trouble.cameras} == {at_ns(HOUR_S / 2 + 60)}


def test_of_few_platforms_a_storm_takes_one_at_least() -> None:
    county = generate_fleet(500, PLAIN, settings().scheduler, 1)
    assert len(county.hosts) == 1
    (trouble,) = camera_model(county, Faults(storms=(Storm(at_share=0.1, for_s=60, platforms_share=0.5),))).troubles
    assert len(trouble.cameras) == 500


def test_a_camera_in_two_troubles_is_back_after_both(fleet: Fleet) -> None:
    world = camera_model(
        fleet,
        Faults(
            power_cuts=(PowerCut(at_share=0.1, for_s=1200, counties=18),),
            platform_restarts=(PlatformRestart(at_share=0.2, for_s=300, platforms=4),),
        ),
    )
    world.advance(at_ns(400))
    assert {why(world, camera) for camera in range(len(fleet))} == {"timeout_connect"}
    world.advance(at_ns(800))
    assert {why(world, camera) for camera in range(len(fleet))} == {"refused"}, "the later one is felt"
    world.advance(at_ns(0.2 * HOUR_S + 300))
    assert {why(world, camera) for camera in range(len(fleet))} == {"timeout_connect"}, "the county is still dark"
    assert not any(world.reachable_since)
    world.advance(at_ns(0.1 * HOUR_S + 1200))
    assert not any(world.unreachable_reason)
    assert set(world.reachable_since) == {at_ns(0.1 * HOUR_S + 1200)}


def test_the_dead_stay_dead_after_a_trouble(fleet: Fleet) -> None:
    world = camera_model(fleet, Faults(offline_share=0.1, storms=(Storm(at_share=0.1, for_s=60, platforms_share=1),)))
    dead = [camera for camera in range(len(fleet)) if world.unreachable_reason[camera]]
    before = [why(world, camera) for camera in dead]
    for now_s in (400, 500):
        world.advance(at_ns(now_s))
        assert [why(world, camera) for camera in dead] == before
    assert sum(map(bool, world.unreachable_reason)) == len(dead)


def test_cameras_that_flap_come_and_go(fleet: Fleet) -> None:
    world = camera_model(fleet, Faults(flapping_share=0.1, flapping_up_s=200, flapping_down_s=100))
    down = []
    for now_s in range(0, 3600, 20):
        world.advance(at_ns(now_s))
        down.append(sum(map(bool, world.unreachable_reason)))
    assert {why(world, camera) for camera in range(len(fleet))} == {UP, "timeout_keyframe"}
    share = statistics.mean(down[30:]) / (0.1 * len(fleet))
    assert share == pytest.approx(1 / 3, abs=0.05), "away for 100 of 300 seconds"


def test_a_camera_that_flaps_is_not_back_before_the_trouble_that_holds_it(fleet: Fleet) -> None:
    cut = PowerCut(at_share=0.25, for_s=1200, counties=18)
    world = camera_model(fleet, Faults(flapping_share=0.2, flapping_up_s=100, flapping_down_s=50, power_cuts=(cut,)))
    for now_s in range(900, 2100, 5):
        world.advance(at_ns(now_s))
        assert all(world.unreachable_reason), f"everybody is cut off at {now_s} s"
    world.advance(at_ns(2100))
    back = np.array(world.unreachable_reason) == 0
    assert back.mean() > 0.9
    assert not back.all(), "some have flapped meanwhile, and are down by themselves"


def test_a_picture_with_two_faults_is_good_after_both() -> None:
    two = generate_fleet(1, PLAIN, settings().scheduler, 1)
    world = camera_model(two, Faults(picture_faults_per_camera_day=48, picture_fault_s=3000))
    seen = set()
    for now_s in range(0, 2 * HOUR_S, 10):
        world.advance(at_ns(now_s))
        seen.add(world.picture_faults[0])
        assert world.sees_fault(0) == bool(world.picture_faults[0])
    assert seen == {0, 1, 2}


def test_the_seed_makes_the_world(fleet: Fleet) -> None:
    faults = Faults(offline_share=0.05)

    def dead(seed: int) -> list[int]:
        return list(CameraModel(fleet, PLAIN, faults, FeedSettings(), at_ns(HOUR_S), seed).unreachable_reason)

    assert dead(1) == dead(1)
    assert dead(1) != dead(2)
