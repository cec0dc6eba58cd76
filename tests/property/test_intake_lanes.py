"""Frames of cameras that are not proven never hold all workers, and nothing else waits for them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.feed.intake import Intake
from engine.hub.keyframes.proven_cameras import ProvenCameras
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FeedKind

WORKERS, CREDIT = 3, 2
GOOD = [f"good-{n}" for n in range(6)]
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("good"), st.integers(0, 5)),
        st.tuples(st.just("hostile"), st.integers(0, 30)),
        st.tuples(st.just("work"), st.integers(0, 2)),
        st.tuples(st.just("back"), st.integers(0, 2)),
        st.tuples(st.just("wait"), st.integers(1, 70)),
    ),
    max_size=120,
)
SECOND_NS = 1_000_000_000


def keyframe(camera_id: str, visit_id: int) -> Keyframe:
    return Keyframe(camera_id, visit_id, Codec.MJPEG, b"x", 0, None, FeedKind.GATEWAY)


class Room:
    """An intake, and workers that finish good pictures and die over hostile ones."""

    def __init__(self) -> None:
        self.proven = ProvenCameras(lambda: len(GOOD) + 1)
        self.intake = Intake(100, 10_000, 10**15, self.proven)
        self.now_ns = self.visit_id = 0
        self.jobs: dict[str, list[tuple[int, str]]] = {f"w{n}": [] for n in range(WORKERS)}
        self.alive = set(self.jobs)
        for name in self.jobs:
            self.intake.worker_ready(name, CREDIT)
        for camera_id in GOOD:
            self.proven.finished(camera_id)

    def offer(self, camera_id: str) -> None:
        self.visit_id += 1
        self.intake.offer(keyframe(camera_id, self.visit_id), self.now_ns)

    def hand_out(self) -> None:
        for job in self.intake.hand_out(self.now_ns)[0]:
            self.jobs[job.worker].append((job.job_id, job.keyframe.camera_id))

    def work(self, name: str) -> None:
        """The worker does its first job."""
        if not self.jobs[name]:
            return
        job_id, camera_id = self.jobs[name].pop(0)
        if camera_id in GOOD:
            assert self.intake.finished(name, job_id) is not None
            self.proven.finished(camera_id)
            return
        self.proven.ended_worker(self.intake.held_by(job_id), self.now_ns)
        self.intake.worker_lost(name, self.now_ns, too_costly=True)
        self.jobs[name] = []
        self.alive.discard(name)

    def back(self, name: str) -> None:
        if name not in self.alive:
            self.alive.add(name)
            self.intake.worker_ready(name, CREDIT)


@given(EVENTS)
@settings(max_examples=300, deadline=None)
def test_one_worker_is_always_left_for_cameras_that_ended_none(events: list[tuple[str, int]]) -> None:
    room = Room()
    for kind, number in events:
        room.now_ns += SECOND_NS // 10
        if kind in ("good", "hostile"):
            room.offer(f"{kind}-{number}")
        elif kind == "work":
            room.work(f"w{number}")
        elif kind == "back":
            room.back(f"w{number}")
        elif all(name in room.alive for name in room.jobs):
            room.now_ns += number * SECOND_NS  # a minute without a costly picture passes only while all workers live
        room.hand_out()
        room.intake.check_invariants()
        clean = [name for name in room.alive if all(camera_id in GOOD for _, camera_id in room.jobs[name])]
        assert clean, f"all of {sorted(room.alive)} hold hostile pictures"
        waits_for_nothing = [name for name in clean if len(room.jobs[name]) < CREDIT]
        proven_waiting = [entry for entry in room.intake._lanes[True] if entry.keyframe.camera_id in GOOD]
        assert not (waits_for_nothing and proven_waiting), "a good picture waits before a free worker"


def test_a_camera_that_is_not_proven_is_measured_although_others_are() -> None:
    room = Room()
    room.offer("new")
    room.now_ns += 1
    for camera_id in GOOD:
        room.offer(camera_id)
    room.hand_out()
    assert "new" in [camera_id for jobs in room.jobs.values() for _, camera_id in jobs]
