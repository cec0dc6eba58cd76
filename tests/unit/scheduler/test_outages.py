"""Platforms that are out: one camera probes, the others wait, and a platform that is half dead is not out."""

import itertools
from typing import Any

import pytest

from engine.config.calendar import Calendar
from engine.model.visit import NOT_JUDGED, FailureReason
from engine.scheduler.events import (
    CameraPlan,
    CamerasRemoved,
    CamerasUpserted,
    OutageBegan,
    OutageEnded,
    PresumedOffline,
    PushMissing,
    SettingsChanged,
    VisitEnded,
)
from tests.support.scheduler.scheduling import LOST, Patrol, cameras, settings

HOST = "media.example"


class Platform:
    """Forty cameras on one platform that is dead from `dead_s` to `back_s`; `broken` cameras never answer."""

    def __init__(
        self, *, dead_s: float = 1e9, back_s: float = 1e9, broken: int = 0, takes_s: float = 1.0, **changes: Any
    ):
        self.dead_s, self.back_s, self.broken = dead_s, back_s, broken
        self.patrol = Patrol(settings(outage_cameras_min=4, **changes), answer=self.answer, takes_s=takes_s)
        self.patrol.handle(cameras(40, host=HOST))

    def answer(self, camera: str, at_s: float) -> FailureReason | None:
        dead = self.dead_s <= at_s < self.back_s or int(camera[1:]) < self.broken
        return FailureReason.REFUSED if dead else None

    def starts_between(self, from_s: float, until_s: float) -> list[float]:
        return [start.at_s for start in self.patrol.starts if from_s <= start.at_s < until_s]


def test_cameras_that_fail_together_are_one_outage() -> None:
    platform = Platform(dead_s=300)
    patrol = platform.patrol.run(400)
    (began,) = patrol.actions_of(OutageBegan)
    assert began[1] == OutageBegan(HOST, 40)
    assert began[0] < 330
    assert patrol.status().outages == (HOST,)


def test_in_an_outage_one_camera_probes_and_the_others_are_presumed_offline() -> None:
    platform = Platform(dead_s=300, outage_probe_s=15, outage_probe_max_s=15)
    patrol = platform.patrol.run(700)
    knocks = platform.starts_between(350, 700)
    assert all(later - earlier >= 15 for earlier, later in itertools.pairwise(knocks))
    assert 15 <= len(knocks) <= 350 / 15
    presumed = [action for at_s, action in patrol.actions_of(PresumedOffline) if at_s >= 350]
    assert {action.host for action in presumed} == {HOST}
    assert len({action.camera_id for action in presumed}) == 40
    assert patrol.status().presumed_total == len(patrol.actions_of(PresumedOffline))


def test_who_is_presumed_offline_says_why_it_last_failed_or_that_its_platform_is_unreachable() -> None:
    platform = Platform(dead_s=300)
    patrol = platform.patrol.run(420)
    failed = {start.camera_id for start in patrol.starts if start.at_s >= 300}
    reasons = {
        (action.camera_id in failed, action.reason) for at_s, action in patrol.actions_of(PresumedOffline) if at_s > 330
    }
    assert reasons == {(True, FailureReason.REFUSED), (False, FailureReason.UNREACHABLE)}


def test_the_wait_between_probes_doubles_up_to_its_bound() -> None:
    platform = Platform(dead_s=300, period_s=20, outage_probe_s=10, outage_probe_max_s=80, takes_s=0)
    patrol = platform.patrol.run(1200)
    began_s = patrol.actions_of(OutageBegan)[0][0]
    probes = [began_s, *platform.starts_between(began_s + 1e-9, 1200)]
    waits = [later - earlier for earlier, later in itertools.pairwise(probes)]
    for wait_s, wanted_s in zip(waits, [10, 20, 40, 80, 80, 80, 80], strict=False):
        assert wanted_s <= wait_s < wanted_s + 2


def test_a_probe_by_a_camera_that_was_dead_before_does_not_put_off_the_next() -> None:
    platform = Platform(dead_s=300, broken=24, period_s=20, outage_probe_s=10, outage_probe_max_s=3600, takes_s=0)
    patrol = platform.patrol.run(1200)
    began_s = patrol.actions_of(OutageBegan)[-1][0]
    probes = [start for start in patrol.starts if start.at_s > began_s + 1e-9]
    dead = [int(start.camera_id[1:]) < 24 for start in probes]
    assert any(dead)
    for (probe, was_dead), (later, _) in itertools.pairwise(zip(probes, dead, strict=True)):
        if was_dead:
            assert later.at_s - probe.at_s < 20


def test_visits_under_way_when_the_outage_begins_do_not_put_off_the_probe() -> None:
    # Forty visits are in flight when the platform goes; only four of them make the outage.
    platform = Platform(dead_s=0, outage_probe_s=10, outage_probe_max_s=3600, takes_s=5, backoff_connect_first_s=10)
    patrol = platform.patrol.run(80)
    began_s = patrol.actions_of(OutageBegan)[0][0]
    knocks = platform.starts_between(0, 80)
    assert sum(at_s < began_s for at_s in knocks) == 40
    assert 10 <= next(at_s for at_s in knocks if at_s > began_s) - began_s < 20


def test_an_outage_ends_with_the_first_answer_and_all_are_visited_again_within_a_period() -> None:
    platform = Platform(dead_s=300, back_s=600, outage_probe_s=15, outage_probe_max_s=30)
    patrol = platform.patrol.run(900)
    (ended,) = patrol.actions_of(OutageEnded)
    assert ended[1] == OutageEnded(HOST)
    assert 600 <= ended[0] <= 600 + 30 + 30
    assert patrol.status().outages == ()
    answered = {start.camera_id for start in patrol.starts if 600 <= start.at_s < ended[0] + 151}
    assert len(answered) == 40


def test_periods_lost_to_an_outage_are_counted_as_such() -> None:
    patrol = Platform(dead_s=300, back_s=600).patrol.run(1500)
    shed = patrol.status().shed
    assert set(shed) == {"outage"}
    assert shed["outage"] > 50
    statistics = patrol.scheduler.statistics
    assert sum(statistics.periods_due) == pytest.approx(sum(statistics.periods_kept) + sum(shed.values()))


def test_a_few_dead_cameras_are_no_outage() -> None:
    patrol = Platform(broken=3).patrol.run(3000)
    assert patrol.actions_of(OutageBegan) == []
    assert patrol.status().failing == {"refused": 3}


def test_a_platform_that_is_half_dead_is_no_outage_again_and_again() -> None:
    platform = Platform(broken=36, backoff_connect_first_s=5, backoff_max_s=20)
    patrol = platform.patrol.run(3000)
    # In the first round nobody knows better; later those that failed before count no more.
    assert all(at_s < 2 for at_s, _ in patrol.actions_of(OutageBegan))
    assert patrol.status().outages == ()
    for number in range(36, 40):
        assert max(patrol.gaps(f"c{number:03}")[2:]) <= 100, "the living are visited in their period"


def test_cameras_that_fail_more_slowly_than_others_answer_are_no_outage() -> None:
    # All begin at once; the living answer after a second, the dead time out after twelve, in a row.
    patrol = Platform(broken=12).patrol
    patrol.takes_s = 12
    patrol.run(0.5)
    for visit_id, camera in list(patrol.flights.items()):
        if int(camera[1:]) >= 12:
            patrol.handle(VisitEnded(visit_id, None))
    patrol.takes_s = 1
    assert patrol.run(200).actions_of(OutageBegan) == []
    assert patrol.status().failing == {"refused": 12}


def test_a_platform_whose_dead_cameras_are_known_is_out_when_the_living_fail_too() -> None:
    platform = Platform(broken=30, dead_s=1000)
    patrol = platform.patrol.run(1200)
    assert len([at_s for at_s, _ in patrol.actions_of(OutageBegan) if at_s >= 1000]) == 1


def test_other_platforms_are_not_drawn_in() -> None:
    patrol = Patrol(
        settings(outage_cameras_min=4), answer=lambda camera, _: FailureReason.REFUSED if camera < "d" else None
    )
    patrol.handle(cameras(20, host=HOST))
    patrol.handle(cameras(20, host="other", name="d"))
    patrol.run(1000)
    assert patrol.status().outages == (HOST,)
    assert {len(patrol.gaps(f"d{n:03}")) for n in range(20)} <= {9, 10}


@pytest.mark.parametrize("reason", [FailureReason.INTERNAL, *sorted(NOT_JUDGED)])
def test_failures_of_our_own_are_no_outage(reason: FailureReason) -> None:
    patrol = Patrol(settings(outage_cameras_min=4), answer=lambda *_: reason)
    patrol.handle(cameras(40, host=HOST))
    assert patrol.run(300).actions_of(OutageBegan) == []


def test_a_probe_that_nobody_answers_does_not_hold_up_the_next() -> None:
    def answer(camera: str, at_s: float) -> str | None:
        return LOST if 300 <= at_s < 400 else FailureReason.REFUSED if 100 <= at_s < 600 else None

    patrol = Patrol(settings(outage_cameras_min=4, order_timeout_s=20, outage_probe_max_s=30), answer=answer)
    patrol.handle(cameras(40, host=HOST))
    patrol.run(900)
    assert len(patrol.actions_of(OutageEnded)) == 1
    assert patrol.status().outages == ()


def test_check_now_is_a_probe_even_before_its_time() -> None:
    platform = Platform(dead_s=300, back_s=400, outage_probe_s=3000, outage_probe_max_s=3000)
    patrol = platform.patrol.run(450)
    assert patrol.status().outages == (HOST,)
    assert patrol.check_now("c007").accepted == ("c007",)
    patrol.run(452)
    assert patrol.status().outages == ()


def test_a_probe_that_is_removed_in_flight_leaves_the_next_to_another() -> None:
    platform = Platform(dead_s=300, back_s=700, takes_s=10, outage_probe_s=20, outage_probe_max_s=20)
    patrol = platform.patrol
    patrol.run(400)
    while not patrol.flights:
        patrol.run(patrol.now_s + 1)
    (probe,) = patrol.flights.values()
    patrol.handle(CamerasRemoved((probe,)))
    patrol.run(900)
    assert patrol.status().outages == ()


def test_an_outage_is_forgotten_with_the_last_camera_of_its_platform() -> None:
    patrol = Platform(dead_s=0).patrol.run(200)
    assert patrol.status().outages == (HOST,)
    patrol.handle(CamerasUpserted([CameraPlan(f"c{n:03}", f"cu{n}", "new.example") for n in range(40)]))
    patrol.run(230)
    assert HOST not in patrol.status().outages


def test_new_bounds_of_an_outage_count_from_the_next_failure_on() -> None:
    patrol = Platform(broken=3).patrol.run(50)
    patrol.handle(SettingsChanged(settings(outage_cameras_min=2), Calendar()))
    assert patrol.run(600).status().outages == ()
    assert patrol.status().failing == {"refused": 3}


def test_pushed_cameras_of_a_platform_that_is_back_are_not_missed_before_their_time() -> None:
    platform = Platform(dead_s=300, back_s=600)
    platform.patrol.handle(CamerasUpserted([CameraPlan("pushed", "", HOST, push=True)]))
    patrol = platform.patrol.run(900)
    assert len(patrol.actions_of(OutageEnded)) == 1
    assert [round(at_s) for at_s, _ in patrol.actions_of(PushMissing)] == [100 * n for n in range(1, 10)]


def test_a_platform_that_is_back_is_seen_whole_within_half_a_period() -> None:
    patrol = Platform(dead_s=300, back_s=600).patrol.run(900)
    ((ended_s, _),) = patrol.actions_of(OutageEnded)
    seen = {start.camera_id for start in patrol.starts if ended_s - 1.5 <= start.at_s <= ended_s + 51}
    assert len(seen) == 40
