"""Counties become shards: who shares a recorder is together, numbers stay, a platform that is too large is shared."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cluster.placement.shards import SHARDS_MAX, CameraGroup, Division, ShardSize, divide

COUNTIES = ["", "1301", *(f"1301{n:02d}" for n in range(1, 9))]


SIZES = st.builds(ShardSize, at_least=st.sampled_from([0.0, 0.05, 0.3]), at_most=st.floats(0.01, 3))


def up_to(cores: float) -> ShardSize:
    return ShardSize(0.0, cores)


def group(county: str, uplink: str = "", host: str = "", cameras: int = 10, cores: float = 0.1) -> CameraGroup:
    return CameraGroup(county, uplink, host, cameras, cameras / 900, cores)


@st.composite
def registries(draw: st.DrawFn) -> list[CameraGroup]:
    return draw(
        st.lists(
            st.builds(
                group,
                county=st.sampled_from(COUNTIES),
                uplink=st.sampled_from(["", "nvr-1", "nvr-2", "nvr-3"]),
                host=st.sampled_from(["", "platform-1", "platform-2"]),
                cameras=st.integers(1, 500),
                cores=st.floats(0.001, 0.5),
            ),
            max_size=30,
        )
    )


def number_of(division: Division) -> dict[str, int]:
    return {county: shard.number for shard in division.shards for county in shard.counties}


def test_a_county_is_a_shard_by_default() -> None:
    division = divide([group("130102", "nvr-1", "a"), group("130104", "nvr-2", "b", cameras=30)], {}, up_to(1.0))
    assert [(shard.number, shard.counties, shard.cameras) for shard in division.shards] == [
        (1, ("130104",), 30),
        (2, ("130102",), 10),
    ]
    assert division.shared_hosts == {}


def test_who_shares_a_recorder_is_together_whatever_it_costs() -> None:
    division = divide([group("130102", "nvr", cores=9.0), group("130104", "nvr", cores=9.0)], {}, up_to(0.5))
    assert [shard.counties for shard in division.shards] == [("130102", "130104")]


def test_a_platform_joins_its_counties_up_to_the_limit_and_is_shared_beyond() -> None:
    groups = [group("130102", host="p", cores=0.3, cameras=30), group("130104", host="p", cores=0.3, cameras=10)]
    assert [shard.counties for shard in divide(groups, {}, up_to(0.6)).shards] == [("130102", "130104")]
    division = divide(groups, {}, up_to(0.5))
    assert len(division.shards) == 2
    assert division.shared_hosts == {"p": {1: pytest.approx(0.75), 2: pytest.approx(0.25)}}


def test_what_is_together_stays_so_a_little_beyond_the_limit() -> None:
    groups = [group("130102", host="p", cores=0.3), group("130104", host="p", cores=0.3)]
    together = {"130102": 7, "130104": 7}
    assert number_of(divide(groups, together, up_to(0.5))) == together
    assert len(divide(groups, together, up_to(0.4)).shards) == 2


def test_the_number_of_a_county_without_cameras_is_not_given_away() -> None:
    assert number_of(divide([group("130104")], {"130102": 1}, up_to(1.0))) == {"130104": 2}


def test_counties_of_a_city_that_are_too_small_are_joined_until_they_are_worth_it() -> None:
    groups = [group(f"13{city:02d}{n:02d}", cores=0.02) for city in (1, 2) for n in (2, 4, 5, 8)]
    joined = divide(groups, {}, ShardSize(0.05, 0.5)).shards
    assert [shard.counties for shard in joined] == [
        ("130102", "130104", "130105"),
        ("130202", "130204", "130205"),
        ("130108",),
        ("130208",),
    ]


def test_a_new_small_county_joins_a_small_shard_of_its_city_and_moves_nobody() -> None:
    before = {"130102": 3, "130104": 5}
    groups = [group("130102", cores=0.02), group("130104", cores=0.2), group("130105", cores=0.02)]
    assert number_of(divide(groups, before, ShardSize(0.05, 0.5))) == {**before, "130105": 3}


def test_too_many_shards_are_refused() -> None:
    with pytest.raises(ValueError, match="shard_cores_min"):
        divide([group(f"{n:06d}") for n in range(SHARDS_MAX + 1)], {}, up_to(1.0))


def assert_whole(groups: Sequence[CameraGroup], division: Division) -> None:
    """Each county is in one shard, each recorder too; a platform that is not shared too; shares add up."""
    counties = [county for shard in division.shards for county in shard.counties]
    assert sorted(counties) == sorted({each.county for each in groups})
    assert sum(shard.cameras for shard in division.shards) == sum(each.cameras for each in groups)
    assert sum(shard.cores for shard in division.shards) == pytest.approx(sum(each.cores for each in groups))
    shard_of = number_of(division)
    assert len({shard.number for shard in division.shards}) == len(division.shards)
    assert all(1 <= shard.number <= SHARDS_MAX for shard in division.shards)
    for each in groups:
        assert not each.uplink or {shard_of[o.county] for o in groups if o.uplink == each.uplink} == {
            shard_of[each.county]
        }
        on_host = {shard_of[other.county] for other in groups if each.host and other.host == each.host}
        assert on_host == set(division.shared_hosts.get(each.host, ())) or len(on_host) < 2
    for shares in division.shared_hosts.values():
        assert sum(shares.values()) == pytest.approx(1)


@settings(max_examples=300, deadline=None)
@given(registries(), SIZES, st.randoms(use_true_random=False))
def test_it_is_whole_and_the_same_in_any_order(
    groups: list[CameraGroup], size: ShardSize, chance: random.Random
) -> None:
    division = divide(groups, {}, size)
    assert_whole(groups, division)
    shuffled = list(groups)
    chance.shuffle(shuffled)
    again = divide(shuffled, {}, size)
    assert number_of(again) == number_of(division)
    assert set(again.shared_hosts) == set(division.shared_hosts)


@settings(max_examples=300, deadline=None)
@given(registries(), registries(), SIZES)
def test_a_second_look_changes_nothing_and_more_cameras_part_nobody(
    groups: list[CameraGroup], more: list[CameraGroup], size: ShardSize
) -> None:
    before = number_of(divide(groups, {}, size))
    assert number_of(divide(groups, before, size)) == before
    apart = [group(f"99{each.county}", f"other {each.uplink}", f"other {each.host}") for each in more]
    after = number_of(divide([*groups, *apart], before, size))
    assert {county: after[county] for county in before} == before
