"""Spot checks: how many come from each stratum, and who."""

from dataclasses import replace
from typing import Any

import pytest

from engine.model.camera import SiteKind
from engine.model.spot_check import Canteen
from engine.scheduler.spot_check import Draw, Stratum, allocate, draw

PRIMARY, HIGH = SiteKind.PRIMARY, SiteKind.HIGH
A, B = "130102", "130203"


def canteens(number: int, county: str = A, kind: SiteKind = PRIMARY, **more: Any) -> list[Canteen]:
    return [Canteen(f"{county}-{kind}-{n}", county=county, kind=kind, **more) for n in range(number)]


def ids(done: Draw) -> list[str]:
    return [canteen.site_id for canteen in done.drawn]


def after(world: list[Canteen], done: Draw) -> list[Canteen]:
    """What the record knows once a draw is kept."""
    rounds = {canteen.site_id: canteen.round for canteen in done.drawn}
    return [
        replace(canteen, round=rounds[canteen.site_id], past_findings=canteen.findings)
        if canteen.site_id in rounds
        else canteen
        for canteen in world
    ]


def test_a_sample_is_shared_out_in_proportion() -> None:
    strata = {Stratum(A, PRIMARY, False): 600, Stratum(A, HIGH, False): 300, Stratum(B, PRIMARY, False): 100}
    assert list(allocate(strata, 100, 0, 2.0).values()) == [30, 60, 10]  # high stands before primary


def test_canteens_with_findings_count_for_more() -> None:
    strata = {Stratum(A, PRIMARY, False): 100, Stratum(A, PRIMARY, True): 100}
    assert allocate(strata, 60, 0, 2.0) == {Stratum(A, PRIMARY, False): 20, Stratum(A, PRIMARY, True): 40}
    assert allocate(strata, 180, 0, 5.0) == {Stratum(A, PRIMARY, False): 80, Stratum(A, PRIMARY, True): 100}


def test_what_rounding_leaves_is_drawn_by_lot_so_that_small_strata_have_their_turn() -> None:
    large, small, smallest = Stratum(A, PRIMARY, False), Stratum(A, HIGH, False), Stratum(A, SiteKind.OTHER, False)
    strata = {large: 90, small: 8, smallest: 2}
    draws = [allocate(strata, 5, seed, 1.0) for seed in range(1000)]  # 4.5, 0.4 and 0.1 of 5
    assert {draw[large] for draw in draws} == {4, 5}
    assert 350 < sum(draw[small] for draw in draws) < 450
    assert 70 < sum(draw[smallest] for draw in draws) < 130


def test_the_smallest_stratum_is_in_while_the_sample_allows() -> None:
    strata = {Stratum(A, PRIMARY, False): 10_000, Stratum(A, HIGH, False): 1, Stratum(B, HIGH, True): 1}
    assert list(allocate(strata, 6, 0, 1.0).values()) == [1, 4, 1]
    shares = allocate(strata, 2, 0, 1.0)  # two counties, three strata
    assert (shares[Stratum(A, PRIMARY, False)], shares[Stratum(B, HIGH, True)]) == (1, 1)
    assert allocate(strata, 1, 0, 1.0)[Stratum(A, PRIMARY, False)] == 1


def test_nobody_comes_twice_before_the_stratum_is_exhausted_and_then_the_order_is_another() -> None:
    world, rounds = canteens(10), []
    for number in range(4):
        done = draw(world, 5, 7, 1.0)
        assert {canteen.round for canteen in done.drawn} == {1 + number // 2}
        assert done.strata[0].left_in_round == 5 * (number % 2 == 0)
        rounds.append(ids(done))
        world = after(world, done)
    assert set(rounds[0]) | set(rounds[1]) == {canteen.site_id for canteen in world}
    assert set(rounds[2]) | set(rounds[3]) == {canteen.site_id for canteen in world}
    assert rounds[0] + rounds[1] != rounds[2] + rounds[3]


def test_the_end_of_a_round_and_the_beginning_of_the_next_share_a_draw() -> None:
    world = [replace(canteen, round=2) for canteen in canteens(3)] + [Canteen("late", county=A, kind=PRIMARY, round=1)]
    done = draw(world, 2, 0, 1.0)
    assert [(canteen.site_id == "late", canteen.round) for canteen in done.drawn] == [(True, 2), (False, 3)]
    assert done.strata[0].left_in_round == 3


def test_a_new_canteen_is_drawn_once_a_round_not_until_it_has_caught_up() -> None:
    world = [replace(canteen, round=5) for canteen in canteens(4)] + [Canteen("new", county=A, kind=PRIMARY)]
    seen: list[str] = []
    for seed in range(1 + 5):
        done = draw(world, 1, seed, 1.0)
        seen += ids(done)
        world = after(world, done)
    assert seen[0] == "new"
    assert sorted(seen[1:]) == sorted(canteen.site_id for canteen in world)


def test_a_canteen_that_brings_a_later_round_waits_for_its_new_neighbours() -> None:
    world = [replace(canteen, round=2) for canteen in canteens(2)] + [
        replace(canteen, round=3) for canteen in canteens(4)[2:]
    ]
    moved = Canteen("moved", county=A, kind=PRIMARY, round=9)
    assert "moved" not in ids(draw([*world, moved], 4, 0, 1.0))
    assert set(ids(draw([*world, moved], 2, 0, 1.0))) == {"130102-primary-0", "130102-primary-1"}


def test_findings_of_the_last_draw_count_until_the_next() -> None:
    (now, before, never) = draw(
        [Canteen("now", findings=2), Canteen("before", past_findings=1), Canteen("never")], 3, 0, 1.0
    ).drawn[::-1]
    assert {now.site_id, before.site_id} == {"now", "before"}
    assert (now.with_findings, before.with_findings, never.with_findings) == (True, True, False)
    assert sorted([now.findings, before.findings]) == [0, 2]


def test_another_seed_another_draw() -> None:
    world = canteens(100) + canteens(100, B)
    draws = {tuple(ids(draw(world, 20, seed, 1.0))) for seed in range(10)}
    assert len(draws) == 10


def test_a_seed_draws_the_same_on_every_machine_and_in_every_release() -> None:
    world = canteens(6) + canteens(3, B, HIGH, findings=1)
    assert ids(draw(world, 4, 2024, 2.0)) == ["130102-primary-3", "130102-primary-4", "130203-high-2", "130203-high-1"]


@pytest.mark.parametrize("size", [9, 10, 20_000])
def test_a_sample_as_large_as_the_county_takes_everybody_once(size: int) -> None:
    world = canteens(6) + canteens(3, B, HIGH, findings=1)
    assert sorted(ids(draw(world, size, 0, 2.0))) == sorted(canteen.site_id for canteen in world)


def test_of_nothing_nothing_is_drawn() -> None:
    assert draw([], 5, 0, 1.0) == Draw((), ())
