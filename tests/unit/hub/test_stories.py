"""The stories of cameras: what is added to them and when, that they stay within bounds, and that nobody else pays."""

import threading
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest

from engine.clock import wall_ns
from engine.hub.stories.rings import DETAIL_CHARS_MAX, StoryRings
from engine.hub.stories.stories import Stories
from engine.model.findings import Finding, FindingState, LedgerEvent, Level, LoggedEvent, Step, Subject
from engine.model.keyframe import Codec, DropReason, Keyframe
from engine.model.measurement import Scores
from engine.model.notice import DeliveryState, Notice
from engine.model.stories.story import CameraStory, StoryEvent, StoryStep
from engine.model.verdict import Cause, FaultKind, Severity, State, Verdict
from engine.model.visit import FailureReason, FeedKind, VisitFailure, VisitOrder, VisitTimings
from engine.storage.db.store import VisitRecord

MS = 1_000_000
TIMINGS = VisitTimings(20 * MS, 700 * MS, 720 * MS, 40_000)


def verdict(visit_id: int, state: State, announced: State, camera_id: str = "a", **more: Any) -> Verdict:
    kinds = (FaultKind.BLURRED,) if state is State.FAULT else ()
    announced_kinds = (FaultKind.BLURRED,) if announced is State.FAULT else ()
    width = 0 if state is State.OFFLINE else 1920
    return replace(
        Verdict(
            camera_id, visit_id, wall_ns(), state, kinds, announced=announced, announced_kinds=announced_kinds,
            scores=Scores(19.0, 97.0, 13.0), width=width, height=1080,
        ),
        **more,
    )  # fmt: skip


def keyframe(visit_id: int, source: FeedKind = FeedKind.RTSP, camera_id: str = "a") -> Keyframe:
    timings = VisitTimings() if source is FeedKind.GATEWAY else TIMINGS
    return Keyframe(camera_id, visit_id, Codec.H264, bytes(1000), wall_ns(), None, source, timings)


def judged(stories: Stories, concluded: Verdict, before: State, *, brought: Keyframe | None = None) -> bool:
    changed = before is not concluded.announced
    if brought is None and concluded.state is not State.OFFLINE:
        brought = keyframe(concluded.visit_id, camera_id=concluded.camera_id)
    failure = None
    if concluded.state is State.OFFLINE:
        reason = FailureReason(concluded.reason)
        failure = VisitFailure(concluded.camera_id, concluded.visit_id, reason, "nothing listens", VisitTimings())
    return stories.judged(concluded, before, changed, brought, failure, wall_ns())


def stored(stories: Stories, concluded: Verdict, seq: int) -> None:
    stories.published([VisitRecord(concluded, b"", seq=seq)])


def steps(story: CameraStory) -> list[StoryStep]:
    return [event.step for event in story.events]


def test_a_camera_that_turns_not_ok_gets_the_events_of_that_visit_too() -> None:
    stories = Stories()
    fault = verdict(7, State.FAULT, State.FAULT, cause=Cause.DEFOCUS, announced_cause=Cause.DEFOCUS)
    assert judged(stories, fault, State.OK)
    assert steps(stories.story("a")) == [
        StoryStep.ORDERED, StoryStep.CONNECTED, StoryStep.KEYFRAME, StoryStep.SCORED,
    ]  # fmt: skip
    stored(stories, fault, 41)
    story = stories.story("a")
    assert steps(story)[-2:] == [StoryStep.JUDGED, StoryStep.ANNOUNCED]
    assert story.open
    assert {event.visit_id for event in story.events} == {7}
    assert [event.seq for event in story.events] == [0, 0, 0, 0, 41, 41]
    times = [event.at_wall_ns for event in story.events]
    assert times == sorted(times)
    assert times[1] - times[0] == 20 * MS
    assert times[2] - times[1] == 700 * MS
    by_step = {event.step: event for event in story.events}
    assert by_step[StoryStep.KEYFRAME].detail == "1,000 bytes, 700 ms after the connection"
    assert by_step[StoryStep.SCORED].detail == "sharp 19, exposure 97, hidden 13, 1920x1080"
    assert (by_step[StoryStep.ANNOUNCED].reason, by_step[StoryStep.ANNOUNCED].detail) == (
        "fault",
        "blurred (defocus); before: ok",
    )


def test_nobody_reads_a_verdict_before_it_is_committed() -> None:
    stories = Stories()
    first, second = verdict(1, State.FAULT, State.OK), verdict(2, State.FAULT, State.FAULT)
    judged(stories, first, State.OK)
    judged(stories, second, State.OK)
    assert not {StoryStep.JUDGED, StoryStep.ANNOUNCED} & set(steps(stories.story("a")))
    stored(stories, first, 5)
    assert [event.visit_id for event in stories.story("a").events if event.step is StoryStep.JUDGED] == [1]
    stored(stories, second, 6)
    assert [event.seq for event in stories.story("a").events if event.step is StoryStep.JUDGED] == [5, 6]


def test_a_verdict_that_the_writer_dropped_is_never_told() -> None:
    stories = Stories()
    lost, kept = verdict(1, State.FAULT, State.OK), verdict(2, State.FAULT, State.FAULT)
    judged(stories, lost, State.OK)
    judged(stories, kept, State.OK)
    stored(stories, kept, 9)
    story = stories.story("a")
    assert [event.visit_id for event in story.events if event.step is StoryStep.JUDGED] == [2]
    assert story.left_out == 1
    stored(stories, lost, 10)
    assert steps(stories.story("a")).count(StoryStep.JUDGED) == 1


def test_of_a_camera_that_is_quietly_ok_nothing_is_kept() -> None:
    stories = Stories()
    well = verdict(1, State.OK, State.OK)
    assert not judged(stories, well, State.OK)
    stories.ordered(VisitOrder(2, "a", "rtsp://h/1", 1, FeedKind.RTSP), "ordinary")
    stories.dropped(keyframe(2), DropReason.SUPERSEDED)
    stored(stories, well, 1)
    assert stories.story("a") == CameraStory("a")
    assert stories.counts()[:3] == (0, 0, 0)


def test_a_camera_that_is_ok_again_says_so_and_then_no_more() -> None:
    stories = Stories()
    judged(stories, verdict(1, State.OFFLINE, State.OFFLINE, reason="refused"), State.OK)
    recovering = verdict(2, State.OK, State.OFFLINE)
    judged(stories, recovering, State.OFFLINE)
    assert stories.story("a").open
    well = verdict(3, State.OK, State.OK)
    judged(stories, well, State.OFFLINE)
    stored(stories, well, 12)
    story = stories.story("a")
    assert not story.open
    assert (story.events[-1].step, story.events[-1].reason) == (StoryStep.ANNOUNCED, "ok")
    judged(stories, verdict(4, State.OK, State.OK), State.OK)
    assert stories.story("a") == story
    judged(stories, verdict(5, State.FAULT, State.OK), State.OK)
    assert stories.story("a").open
    assert len(stories.story("a").events) > len(story.events)


def test_what_happens_to_a_visit_of_a_camera_in_trouble_is_told() -> None:
    stories = Stories()
    judged(stories, verdict(1, State.OFFLINE, State.UNKNOWN, reason="refused"), State.UNKNOWN)
    order = VisitOrder(2, "a", "rtsp://h/1", 1, FeedKind.RTSP, "1301")
    stories.ordered(order, "key_point")
    stories.tried_again(VisitFailure("a", 2, FailureReason.PROTOCOL_ERROR, "no RTSP", TIMINGS))
    stories.unjudged(order, FailureReason.LOST)
    stories.dropped(keyframe(3), DropReason.SUPERSEDED)
    told = {(event.step, event.reason): event.detail for event in stories.story("a").events}
    assert told[StoryStep.ORDERED, "rtsp"] == "by RTSP, class key point"
    assert told[StoryStep.FAILED, "protocol_error"] == "no RTSP; FFmpeg tries once more"
    assert told[StoryStep.FAILED, "lost"].endswith("visited again")
    assert told[StoryStep.DROPPED, "superseded"] == "a newer keyframe of the camera took its place"
    assert told[StoryStep.FAILED, "refused"] == "nothing listens"


def test_a_push_has_neither_order_nor_connection() -> None:
    stories = Stories()
    fault = verdict(4, State.FAULT, State.OK)
    judged(stories, fault, State.OK, brought=keyframe(4, FeedKind.GATEWAY))
    assert steps(stories.story("a")) == [StoryStep.KEYFRAME, StoryStep.SCORED]
    assert stories.story("a").events[0].detail == "1,000 bytes, pushed by a gateway"


def test_steps_of_findings_are_told_of_cameras_that_have_a_story() -> None:
    stories = Stories()
    subject = Subject("a", "blurred")
    finding = Finding(3, subject, FindingState.OPEN, Severity.IMPAIRED, Level.SCHOOL, 9, 1, 1)
    at = wall_ns() + 60_000 * MS
    opened = LedgerEvent(3, 1, Step.OPENED, at, "engine", why="announced\x1b[2J", severity=Severity.IMPAIRED)
    told = LedgerEvent(3, 2, Step.NOTIFIED, at + MS, "engine", why="told county")
    stories.ledger([LoggedEvent(1, opened, finding)])
    assert stories.story("a").events == ()
    judged(stories, verdict(1, State.FAULT, State.FAULT), State.OK)
    stories.ledger([LoggedEvent(1, opened, finding), LoggedEvent(2, told, finding)])
    *_, first = stories.story("a").events
    assert (first.step, first.reason, first.finding_id) == (StoryStep.FINDING, "opened", 3)
    assert first.detail == "announced\\x1b[2J; impaired"


def test_who_was_notified_is_told_and_who_could_not_be() -> None:
    stories = Stories()
    notice = Notice(1, "finding.opened", 3, 1, 9, "1301", '{"camera_id": "a"}')
    stories.attempted(notice, "county", "delivered", DeliveryState.DELIVERED)
    judged(stories, verdict(1, State.FAULT, State.FAULT), State.OK)
    for outcome, state in (
        ("timeout", DeliveryState.WAITING), ("refused", DeliveryState.DEAD), ("delivered", DeliveryState.DELIVERED),
    ):  # fmt: skip
        stories.attempted(notice, "county", outcome, state)
    told = [event for event in stories.story("a").events if event.step is StoryStep.NOTIFIED]
    assert [(event.reason, event.detail) for event in told] == [
        ("timeout", "finding.opened to county; it is tried again"),
        ("refused", "finding.opened to county; it is given up"),
        ("delivered", "finding.opened to county"),
    ]
    assert {event.finding_id for event in told} == {3}
    stories.attempted(replace(notice, body='{"camera_id": "b"}'), "county", "delivered", DeliveryState.DELIVERED)
    stories.attempted(replace(notice, body="{}"), "county", "delivered", DeliveryState.DELIVERED)
    assert stories.counts().kept == 1


def test_trouble_is_new_when_it_begins_and_when_it_changes() -> None:
    stories = Stories()
    offline = {"reason": "refused"}
    assert judged(stories, verdict(1, State.OFFLINE, State.OK, **offline), State.OK)
    assert not judged(stories, verdict(2, State.OFFLINE, State.OFFLINE, **offline), State.OK)
    assert judged(stories, verdict(3, State.OFFLINE, State.OFFLINE, reason="dns"), State.OFFLINE)
    assert not judged(stories, verdict(4, State.OK, State.OFFLINE), State.OFFLINE)
    assert judged(stories, verdict(5, State.OFFLINE, State.OFFLINE, reason="dns"), State.OFFLINE)


def test_a_camera_that_leaves_the_registry_takes_its_story_along() -> None:
    stories = Stories()
    fault = verdict(1, State.FAULT, State.FAULT)
    judged(stories, fault, State.OK)
    stories.forget(["a", "b"])
    stored(stories, fault, 1)
    assert stories.story("a") == CameraStory("a")
    assert stories.counts()[:3] == (0, 0, 0)


def event(visit_id: int, detail: str = "") -> StoryEvent:
    return StoryEvent(StoryStep.FAILED, visit_id, visit_id, detail=detail)


def test_of_one_camera_the_oldest_events_go() -> None:
    rings = StoryRings(events_max=3)
    rings.open("a", 1)
    empty = rings.size
    rings.add("a", [event(number) for number in range(5)])
    story = rings.story("a")
    assert [kept.visit_id for kept in story.events] == [2, 3, 4]
    assert (story.left_out, story.kept_since_wall_ns) == (2, 1)
    assert rings.size - empty == 3 * (rings.size - empty) // 3
    rings.add("a", [event(9, "x" * 5000)])
    assert len(rings.story("a").events[-1].detail) == DETAIL_CHARS_MAX


def test_of_many_cameras_closed_stories_go_first_then_those_touched_longest_ago() -> None:
    rings = StoryRings(cameras_max=3)
    for name in "abc":
        rings.open(name, 0)
        rings.add(name, [event(1)])
    rings.close("c")
    rings.open("d", 0)
    assert [name for name in "abcd" if rings.is_kept(name)] == ["a", "b", "d"]
    rings.add("a", [event(2)])
    rings.open("e", 0)
    assert [name for name in "abcde" if rings.is_kept(name)] == ["a", "d", "e"]
    assert not rings.is_open("b")
    assert rings.drain_evicted() == {"cameras": 2}
    assert rings.drain_evicted() == {}


def test_all_stories_together_stay_within_their_bytes() -> None:
    rings = StoryRings(bytes_max=100_000)
    for number in range(200):
        name = str(number)
        rings.open(name, 0)
        rings.add(name, [event(visit, "y" * 200) for visit in range(number % 30)])
        rings.wait(name, (1, 1), [event(1, "z" * 200)])
        assert rings.size <= 100_000
    assert rings.drain_evicted()["bytes"] > 100
    rings.forget(map(str, range(200)))
    assert (rings.size, rings.cameras) == (0, 0)


def test_verdicts_that_wait_for_a_database_that_is_away_stay_few() -> None:
    rings = StoryRings()
    rings.open("a", 0)
    empty = rings.size
    for number in range(100):
        rings.wait("a", (number, number), [event(number)])
    assert rings.size < empty + 5 * 1000
    rings.stored("a", (99, 99), 7)
    assert [kept.visit_id for kept in rings.story("a").events] == [99]
    assert rings.story("a").left_out == 99


def test_the_estimate_of_their_memory_is_not_below_what_they_take() -> None:
    rings = StoryRings(bytes_max=1 << 40)
    at = wall_ns()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(300):
            name = f"1399010011132000{number:04}"
            rings.open(name, at + number)
            rings.add(
                name,
                [
                    StoryEvent(
                        StoryStep.JUDGED, at + 1000 * n, at + n, at + n, f"reason {n} {number}", f"{n}" + 60 * "切"
                    )
                    for n in range(60)
                ],
            )
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken <= rings.size < 3 * taken


@pytest.mark.parametrize("readers", [4])
def test_readers_and_the_writer_may_come_from_other_threads(readers: int) -> None:
    stories = Stories()
    broken: list[BaseException] = []
    stop = threading.Event()

    def guarded(work: object) -> None:
        try:
            while not stop.is_set():
                work()  # type: ignore[operator]
        except BaseException as error:
            broken.append(error)

    committed = [verdict(number, State.FAULT, State.FAULT) for number in range(1, 400)]
    threads = [threading.Thread(target=guarded, args=(lambda: stories.story("a"),)) for _ in range(readers)]
    threads += [threading.Thread(target=guarded, args=(lambda: stored(stories, committed[-1], 1),))]
    for thread in threads:
        thread.start()
    for concluded in committed:
        judged(stories, concluded, State.FAULT)
    stop.set()
    for thread in threads:
        thread.join()
    assert broken == []
