"""Visits that the hub allows: never more keyframes under way and waiting than half the intake holds."""

from engine.hub.visiting.feeder_pool import visits_allowed


def test_visits_are_bounded_by_feeders_and_by_the_room_for_what_they_bring() -> None:
    assert visits_allowed(1000, 1024) == 1000
    assert visits_allowed(1000, 300) == 300
    assert visits_allowed(0, 300) == 0, "no feeder is there yet"
    assert visits_allowed(1000, -5) == 0, "the intake is fuller than half: gateways push as well"


def test_workers_that_fall_behind_are_not_brought_ever_more_keyframes() -> None:
    room, waiting, in_flight = 100, 0, 0
    for _ in range(1000):  # a keyframe comes with every turn, and no worker takes any
        in_flight = max(in_flight, visits_allowed(1000, room - waiting))
        if in_flight:
            in_flight, waiting = in_flight - 1, waiting + 1
    assert waiting == room
    assert in_flight == 0
