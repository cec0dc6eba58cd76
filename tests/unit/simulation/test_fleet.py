"""The cameras of a rehearsal: a province in its proportions, or a registry."""

from collections import Counter

import pytest

from engine.config.schema import SchedulerSettings
from engine.errors import ConfigError
from engine.model.camera import Camera, KeyPoint
from engine.simulation.fleet import Fleet, fleet_from_registry, generate_fleet
from engine.simulation.world import World
from tests.support.scheduler.simulations import PLAIN

PLAN = SchedulerSettings()


@pytest.fixture(scope="module")
def province() -> Fleet:
    return generate_fleet(131_072, World(), PLAN, 1)


def test_a_province_has_its_recorders_platforms_and_counties(province: Fleet) -> None:
    assert (len(province), len(province.hosts), len(province.counties)) == (131_072, 34, 170)
    assert 40_000 <= len(province.uplinks) < 40_170, "none is shared by two counties"
    recorders = Counter(Counter(province.uplink).values())
    assert recorders[3] + recorders[4] > 0.99 * len(province.uplinks), "a recorder carries three or four cameras"
    platforms = Counter(province.host)
    assert max(platforms.values()) < 1.1 * min(platforms.values())


def test_six_of_the_eight_places_of_a_canteen_are_key_points(province: Fleet) -> None:
    assert sum(province.key_point) == 131_072 * 6 // 8


def test_streams_intervals_and_hours_have_their_shares(province: Fleet) -> None:
    streams = Counter(province.stream)
    for number, stream in enumerate(World().streams):
        assert streams[number] / len(province) == pytest.approx(stream.share / 100, abs=0.01)
    waits = Counter(province.wait_ns)
    for interval in World().intervals:
        assert waits[round(interval.seconds * 1e9)] / len(province) == pytest.approx(interval.share / 100, abs=0.01)
    hours = Counter(plan.hours for plan in province.plans)
    for pattern in World().hours:
        assert hours[pattern.hours] / len(province) == pytest.approx(pattern.share / 100, abs=0.02)


def test_cameras_of_a_canteen_share_county_platform_and_hours(province: Fleet) -> None:
    for first in range(0, 800, 8):
        plans = province.plans[first : first + 8]
        assert len({(plan.site_id, plan.county, plan.host, plan.hours) for plan in plans}) == 1


def test_a_small_county_keeps_the_proportions() -> None:
    county = generate_fleet(800, World(), PLAN, 1)
    assert (len(county.counties), len(county.hosts)) == (1, 1)
    assert len(county.uplinks) == pytest.approx(800 * 40_000 / 131_072, abs=1)


def test_the_seed_makes_the_fleet() -> None:
    def streams(seed: int) -> list[int]:
        return list(generate_fleet(500, World(), PLAN, seed).stream)

    assert streams(1) == streams(1)
    assert streams(1) != streams(2)


def test_servers_that_hold_a_group_of_pictures_make_nobody_wait() -> None:
    world = World(gop_cached_share=0.3)
    waits = list(generate_fleet(10_000, world, PLAN, 1).wait_ns)
    assert waits.count(0) / len(waits) == pytest.approx(0.3, abs=0.02)
    assert 0 not in generate_fleet(1000, World(), PLAN, 1).wait_ns


def test_a_registry_keeps_its_recorders_and_leaves_out_whom_nobody_visits() -> None:
    url = "rtsp://platform.example:554/1"
    fleet = fleet_from_registry(
        [
            Camera("a", url, uplink="nvr", region="130102001", key_point=KeyPoint.COOKING),
            Camera("b", url, uplink="nvr", region="130102"),
            Camera("c", url, required=True),
            Camera("d", "", push=True),
            Camera("e", url, enabled=False),
        ],
        PLAIN,
        PLAN,
        1,
    )
    assert fleet.ids == ["a", "b", "c"]
    assert list(fleet.key_point) == [1, 0, 1]
    assert [fleet.uplinks[n] for n in fleet.uplink[:2]] == ["nvr", "nvr"]
    assert {fleet.hosts[n] for n in fleet.host} == {"platform.example"}
    assert [fleet.counties[n] for n in fleet.county] == ["130102", "130102", "none"]


def test_a_fleet_without_cameras_or_with_too_many_is_refused() -> None:
    for count in (0, -1, 2_000_001):
        with pytest.raises(ConfigError, match=f"--cameras {count}: allowed: 1 to 2,000,000"):
            generate_fleet(count, PLAIN, PLAN, 1)
    with pytest.raises(ConfigError, match="the registry has no cameras; import some, or simulate with --cameras N"):
        fleet_from_registry([], PLAIN, PLAN, 1)
