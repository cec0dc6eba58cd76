"""Any order of events leaves the intake's books balanced, and every frame ends once."""

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.feed.intake import Intake
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FeedKind

EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), st.integers(0, 5), st.integers(1, 90)),
        st.tuples(st.just("withdraw"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("ready"), st.integers(0, 2), st.integers(1, 3)),
        st.tuples(st.just("lost"), st.integers(0, 2), st.integers(0, 3)),
        st.tuples(st.just("unreached"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("hand_out"), st.integers(0, 40), st.just(0)),
        st.tuples(st.just("finish"), st.integers(0, 9), st.just(0)),
    ),
    max_size=80,
)


@given(EVENTS)
@settings(max_examples=300, deadline=None)
def test_every_frame_ends_exactly_once_whatever_happens(events: list[tuple[str, int, int]]) -> None:
    intake = Intake(frames_max=4, bytes_max=200, stale_after_ns=30)
    ended: list[int] = []
    jobs: list[tuple[str, int]] = []
    workers: set[str] = set()
    now_ns = visit = 0
    for kind, number, size in events:
        now_ns += 1
        if kind == "offer":
            visit += 1
            keyframe = Keyframe(f"c{number}", visit, Codec.H264, bytes(size), 0, None, FeedKind.GATEWAY)
            ended += [end.keyframe.visit_id for end in intake.offer(keyframe, now_ns)]
        elif kind == "withdraw":
            withdrawn = intake.withdraw(f"c{number}")
            ended += [withdrawn.visit_id] if withdrawn else []
        elif kind == "ready" and f"w{number}" not in workers:
            workers.add(f"w{number}")
            intake.worker_ready(f"w{number}", size)
        elif kind == "lost":
            workers.discard(f"w{number}")
            lost = intake.worker_lost(f"w{number}", now_ns, blameless=size == 1, too_costly=size > 1)
            ended += [end.keyframe.visit_id for end in lost]
            jobs = [job for job in jobs if job[0] != f"w{number}"]
        elif kind == "unreached" and jobs:
            intake.unreached(*jobs.pop(number % len(jobs)), now_ns)
        elif kind == "hand_out":
            now_ns += number
            out, dropped = intake.hand_out(now_ns)
            ended += [end.keyframe.visit_id for end in dropped]
            jobs += [(job.worker, job.job_id) for job in out]
        elif kind == "finish" and jobs:
            worker, job_id = jobs.pop(number % len(jobs))
            done = intake.finished(worker, job_id)
            ended += [done.visit_id] if done else []
        intake.check_invariants()
    ended += [end.keyframe.visit_id for end in intake.shut_down()]
    assert sorted(ended) == list(range(1, visit + 1))
