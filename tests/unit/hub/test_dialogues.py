"""Which visits are traced for a check on demand, and what is held of them."""

from engine.clock import NS_PER_S
from engine.feed import wire
from engine.hub.visiting.dialogues import Dialogues
from engine.model.dialogue import Side, TraceLine
from engine.model.visit import FeedKind, VisitOrder

SAID = TraceLine(1_500_000, Side.ENGINE, "DESCRIBE rtsp://h/1 RTSP/1.0")
HEARD = TraceLine(2_000_000, Side.CAMERA, "RTSP/1.0 200 OK")


def order(camera_id: str, visit_id: int) -> VisitOrder:
    return VisitOrder(visit_id, camera_id, "rtsp://h/1", NS_PER_S, FeedKind.RTSP)


def test_only_visits_that_were_asked_for_are_traced_and_only_until_the_call_ends() -> None:
    dialogues = Dialogues()
    assert not dialogues.ordered(order("a", 1), 0)
    dialogues.want(["a"], 0)
    assert dialogues.ordered(order("a", 2), 0)
    assert not dialogues.ordered(order("b", 3), 0)
    for visit_id in (1, 2, 3):
        dialogues.add(visit_id, [SAID])
    assert [dialogues.get("a", visit_id) for visit_id in (1, 2)] == [(), (SAID,)]
    assert dialogues.get("b", 3) == ()
    dialogues.forget(["a", "b"])
    assert dialogues.get("a", 2) == ()
    assert not dialogues.ordered(order("a", 4), 0)


def test_a_visit_that_ffmpeg_makes_once_more_has_both_parts() -> None:
    dialogues = Dialogues()
    dialogues.want(["a"], 0)
    dialogues.ordered(order("a", 2), 0)
    dialogues.add(2, [SAID])
    dialogues.add(2, [HEARD])
    assert dialogues.get("a", 2) == (SAID, HEARD)


def test_a_call_that_did_not_say_that_it_ended_is_forgotten() -> None:
    dialogues = Dialogues()
    dialogues.want(["a"], 0)
    assert dialogues.ordered(order("a", 2), 600 * NS_PER_S)
    assert not dialogues.ordered(order("a", 3), 800 * NS_PER_S)


def test_what_is_held_is_bounded_by_cameras_and_visits() -> None:
    dialogues = Dialogues()
    dialogues.want([f"c{n}" for n in range(20)], 0)
    assert [dialogues.ordered(order(f"c{n}", n), 0) for n in (3, 4, 19)] == [False, True, True]
    for visit_id in range(100, 106):
        dialogues.ordered(order("c19", visit_id), 0)
        dialogues.add(visit_id, [SAID])
    assert [visit_id for visit_id in range(100, 106) if dialogues.get("c19", visit_id)] == [102, 103, 104, 105]


def test_a_dialogue_passes_the_wire_within_its_bound_and_says_what_is_left_out() -> None:
    assert wire.unpack_dialogue(wire.pack_dialogue(7, [SAID, HEARD])) == (7, (SAID, HEARD))
    long = [TraceLine(n, Side.CAMERA, "字" * 300) for n in range(100)]
    frames = wire.pack_dialogue(7, long)
    assert len(frames[1]) <= wire.DIALOGUE_BYTES_MAX
    _, lines = wire.unpack_dialogue(frames)
    assert lines[:-1] == tuple(long[: len(lines) - 1])
    assert lines[-1].text == f"{len(long) - len(lines) + 1} more lines are left out"


def test_an_order_carries_the_wish() -> None:
    traced = VisitOrder(1, "a", "rtsp://h/1", NS_PER_S, FeedKind.RTSP, trace=True)
    assert wire.unpack_order(wire.pack_order(traced)) == traced
