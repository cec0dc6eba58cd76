"""Any counties, sizes, seeds: the shares add up, the order of the input is nothing, nobody comes too early."""

import random
from collections import defaultdict
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.camera import SiteKind
from engine.model.spot_check import Canteen
from engine.scheduler.spot_check import Stratum, allocate, draw, stratum_of

KINDS = st.sampled_from([SiteKind.PRIMARY, SiteKind.HIGH, SiteKind.OTHER])
COUNTIES = st.sampled_from(["130102", "130203", "1304", ""])
STRATA = st.dictionaries(st.builds(Stratum, COUNTIES, KINDS, st.booleans()), st.integers(1, 300), min_size=1)
WEIGHTS = st.sampled_from([1.0, 1.5, 2.0, 100.0])
SEEDS = st.integers(0, 2**32 - 1)
WORLDS = st.lists(
    st.builds(
        Canteen,
        site_id=st.integers(0, 10_000).map(str),
        county=COUNTIES,
        kind=KINDS,
        findings=st.integers(0, 2),
        past_findings=st.integers(0, 1),
        round=st.integers(0, 4),
    ),
    unique_by=lambda canteen: canteen.site_id,
    max_size=60,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(STRATA, st.integers(1, 4000), SEEDS, WEIGHTS)
def test_the_shares_add_up_and_every_county_is_in_when_the_sample_allows(
    strata: dict[Stratum, int], size: int, seed: int, weight: float
) -> None:
    shares = allocate(strata, size, seed, weight)
    assert sum(shares.values()) == min(size, sum(strata.values()))
    assert all(0 <= shares[stratum] <= strata[stratum] for stratum in strata)
    if size >= 2 * len(strata):
        assert all(shares.values())
    if size >= len({stratum.county for stratum in strata}):
        assert {stratum.county for stratum, share in shares.items() if share} == {stratum.county for stratum in strata}


@settings(max_examples=300, deadline=None, derandomize=True)
@given(STRATA, st.integers(1, 4000), SEEDS, WEIGHTS)
def test_no_stratum_is_further_than_one_canteen_from_its_proportion(
    strata: dict[Stratum, int], size: int, seed: int, weight: float
) -> None:
    shares = allocate(strata, size, seed, weight)
    weights = {stratum: canteens * (weight if stratum.with_findings else 1.0) for stratum, canteens in strata.items()}
    # One factor for all: shares between their bounds are weight times factor, rounded down or up.
    lows = [(shares[stratum] - 1) / weights[stratum] for stratum in strata if shares[stratum] > 1]
    highs = [(shares[stratum] + 1) / weights[stratum] for stratum in strata if shares[stratum] < strata[stratum]]
    assert not lows or not highs or max(lows) <= min(highs) * (1 + 1e-9)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(WORLDS, st.integers(1, 70), SEEDS, WEIGHTS, st.integers(0, 1000))
def test_the_order_of_the_input_is_nothing(
    world: list[Canteen], size: int, seed: int, weight: float, shuffle: int
) -> None:
    shuffled = random.Random(shuffle).sample(world, len(world))
    assert draw(shuffled, size, seed, weight) == draw(world, size, seed, weight)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(WORLDS, st.lists(st.tuples(st.integers(1, 40), SEEDS), max_size=12))
def test_nobody_comes_twice_before_the_stratum_is_exhausted(world: list[Canteen], draws: list[tuple[int, int]]) -> None:
    world = [replace(canteen, round=0) for canteen in world]
    members: defaultdict[Stratum, set[str]] = defaultdict(set)
    for canteen in world:
        members[stratum_of(canteen)].add(canteen.site_id)
    had: dict[Stratum, set[str]] = {stratum: set() for stratum in members}
    for size, seed in draws:
        drawn: defaultdict[Stratum, list[str]] = defaultdict(list)
        rounds = {}
        for visited in draw(world, size, seed, 2.0).drawn:
            drawn[Stratum(visited.county, visited.kind, visited.with_findings)].append(visited.site_id)
            rounds[visited.site_id] = visited.round
        for stratum, chosen in drawn.items():
            assert len(set(chosen)) == len(chosen)
            for site_id in chosen:
                if had[stratum] == members[stratum]:
                    had[stratum] = set()
                assert site_id not in had[stratum]
                had[stratum].add(site_id)
        world = [replace(canteen, round=rounds.get(canteen.site_id, canteen.round)) for canteen in world]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(WORLDS, st.data())
def test_nobody_passes_by_one_of_an_earlier_round_while_canteens_come_go_and_change(
    world: list[Canteen], data: st.DataObject
) -> None:
    pool = {canteen.site_id: canteen for canteen in world}
    for _ in range(data.draw(st.integers(1, 6))):
        here = [canteen for canteen in pool.values() if data.draw(st.booleans())]
        here = [replace(canteen, findings=data.draw(st.integers(0, 1))) for canteen in here]
        done = draw(here, data.draw(st.integers(1, 40)), data.draw(SEEDS), 2.0)
        rounds = {canteen.site_id: canteen.round for canteen in done.drawn}
        passed: defaultdict[Stratum, list[int]] = defaultdict(list)
        for canteen in here:
            if canteen.site_id not in rounds:
                passed[stratum_of(canteen)].append(canteen.round)
        for canteen in here:
            if canteen.site_id in rounds:
                assert all(canteen.round <= waiting for waiting in passed[stratum_of(canteen)])
                assert rounds[canteen.site_id] > canteen.round
                drawn = replace(canteen, round=rounds[canteen.site_id], past_findings=canteen.findings)
                pool[canteen.site_id] = drawn
