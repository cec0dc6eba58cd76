"""The machine of a rehearsal: cores, the queue before them, and how many visits the hub would allow."""

from engine.config.feed import FeedSettings
from engine.config.intake import IntakeSettings
from engine.config.schema import SchedulerSettings, Settings, WorkerSettings
from engine.simulation.camera_model import NEVER_ANSWERED
from engine.simulation.machine import Machine
from tests.support.scheduler.simulations import PLAIN, at_ns

CHECK_S = 0.010


def machine(cores: int, plan: Settings | None = None) -> Machine:
    return Machine(plan or Settings(), PLAIN, cores)


def test_keyframes_are_checked_one_after_another_by_each_core() -> None:
    two = machine(2)
    done = [two.check(0, at_ns(1)) for _ in range(5)]
    assert done == [at_ns(1 + CHECK_S * n) for n in (1, 1, 2, 2, 3)]
    assert two.waiting(at_ns(1)) == 3
    assert two.waiting(at_ns(1 + CHECK_S)) == 1
    assert two.waiting(at_ns(2)) == 0
    assert two.waiting_max == 3


def test_a_core_that_was_idle_begins_when_the_keyframe_comes() -> None:
    host = machine(1)
    host.check(0, 0)
    assert host.check(0, at_ns(5)) == at_ns(5 + CHECK_S)


def test_work_that_was_taken_on_and_not_done_yet_is_not_counted_as_done() -> None:
    host = machine(1)
    for _ in range(100):
        host.check(0, 0)
    assert host.done_ns(0) == 0
    assert host.done_ns(at_ns(0.25)) == at_ns(0.25), "no core is ever more than busy"
    assert host.done_ns(at_ns(5)) == at_ns(100 * CHECK_S)


def test_no_more_checks_at_a_time_than_there_are_workers() -> None:
    assert machine(8).servers == 8
    assert machine(8, Settings(worker=WorkerSettings(count=3))).servers == 3
    assert machine(2, Settings(worker=WorkerSettings(count=3))).servers == 2


def test_keyframes_that_wait_take_room_from_visits() -> None:
    plan = Settings(intake=IntakeSettings(queue_frames_max=200), feed=FeedSettings(demuxers=0))
    host = machine(1, plan)
    assert host.visits_allowed(0) == 100
    for _ in range(41):
        host.check(0, 0)
    assert host.visits_allowed(0) == 60
    assert host.visits_allowed(at_ns(1)) == 100


def test_feeders_bound_the_visits_as_well() -> None:
    plan = Settings(feed=FeedSettings(feeders=2, visits_per_feeder_max=30, demuxers=1, demux_threads=4))
    assert machine(1, plan).visits_allowed(0) == 64


def test_visits_that_ffmpeg_makes_wait_for_a_thread_and_are_given_up_with_their_order() -> None:
    feed = FeedSettings(demuxers=1, demux_threads=2, deadline_s=8)
    host = machine(1, Settings(feed=feed, scheduler=SchedulerSettings(order_timeout_s=10)))
    assert [host.demux(at_ns(8), at_ns(1)) for _ in range(4)] == [at_ns(8), at_ns(8), at_ns(16), at_ns(16)]
    assert host.demux(at_ns(8), at_ns(1)) == NEVER_ANSWERED, "both threads are taken for longer than the order lasts"
    assert host.demux(at_ns(8), at_ns(16)) == at_ns(9)


def test_without_a_demuxer_nobody_answers() -> None:
    assert machine(1, Settings(feed=FeedSettings(demuxers=0))).demux(at_ns(1), 0) == NEVER_ANSWERED
