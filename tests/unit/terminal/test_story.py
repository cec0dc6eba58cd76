"""Why a verdict is what it is, in sentences; and the story of a camera as a table."""

from typing import Any

import pytest

from engine.batch.camera_story import story_of
from engine.config.judge import JudgeSettings
from engine.judge.rules import thresholds
from engine.model.faults import READ_KINDS
from engine.model.findings import LedgerEvent, Step
from engine.model.measurement import Scores
from engine.model.stories import events as story_events
from engine.model.stories.story import CameraStory, StoryEvent, StoryStep
from engine.model.verdict import Cause, FaultKind, LoggedVerdict, State, UnknownReason, Verdict
from engine.terminal.story import because, kept, story_columns, story_rows
from engine.terminal.times import Times
from engine.terminal.verdict_reasons import reasons

S = 1_000_000_000
AT = 1_795_000_000 * S
TIMES = Times("Asia/Shanghai", AT)
LIMITS = thresholds(JudgeSettings())


def verdict(state: State, *kinds: FaultKind, announced: State | None = None, **more: Any) -> Verdict:
    announced = announced or state
    fields: dict[str, Any] = {
        "thresholds": LIMITS, "width": 1920, "height": 1080, "confidence": 0.9,
        "announced_kinds": kinds if announced is State.FAULT else (),
    }  # fmt: skip
    return Verdict("a", 7, AT, state, kinds, announced=announced, **(fields | more))


def test_each_kind_of_fault_is_explained_by_figures_and_limits_that_exist() -> None:
    figures = {
        "sharpness_ratio": 0.4, "luma_mean": 20.0, "luma_p5": 10.0, "luma_p95": 30.0, "luma_p99": 250.0,
        "clipped_bright_share": 0.5, "scene_match": 0.1, "contrast_left": 0.1, "hidden_share": 0.6,
        "structureless_share": 0.9, "same_visits": 4.0, "flat_share": 0.99, "shift_match": 0.9, "veil": 3.0,
        "season_ratio": 0.8, "cast": 40.0, "noise_floor": 20.0, "row_pattern": 9.0, "column_pattern": 9.0,
    }  # fmt: skip
    for kind in set(FaultKind) - READ_KINDS:
        said = list(reasons(verdict(State.FAULT, kind, figures=figures)))
        assert any(sentence.startswith(f"{kind}: ") and "(judge." in sentence for sentence in said), kind


@pytest.mark.parametrize(
    ("figures", "scores", "sentence"),
    [
        ({}, Scores(19.0, 97.0, 13.0), "blurred: sharpness 19: a fault below 36 (judge.sharpness_min)"),
        (
            {"sharpness_ratio": 0.41},
            Scores(70.0, 97.0, 13.0),
            "blurred: sharpness compared with the usual 41 %: a fault below 82 % (judge.sharpness_ratio_min)",
        ),
    ],
)
def test_a_blur_is_compared_with_the_usual_where_that_is_known(
    figures: dict[str, float], scores: Scores, sentence: str
) -> None:
    said = list(reasons(verdict(State.FAULT, FaultKind.BLURRED, figures=figures, scores=scores)))
    assert said[0] == "this visit: fault, blurred (confidence 0.90: 0.5 is on the limit)"
    assert sentence in said
    assert said[-1] == "announced: 2 of the last 3 visits must agree (judge.confirm_n, confirm_m)"


def test_a_figure_on_the_good_side_of_its_limit_is_said_to_be_there() -> None:
    figures = {"luma_mean": 60.0}
    assert (
        "too_dark: mean level 60: not reached; a fault below 48 (judge.dark_mean_max)"
        in list(reasons(verdict(State.FAULT, FaultKind.TOO_DARK, figures=figures)))
    )  # fmt: skip


def test_what_stays_announced_after_another_visit_is_explained() -> None:
    well = verdict(State.OK, announced=State.FAULT, announced_kinds=(FaultKind.BLURRED,))
    assert list(reasons(well))[-1] == (
        "still announced: fault, blurred; ok is announced after 2 ok visits in a row (judge.recover_n)"
    )
    first = verdict(State.FAULT, FaultKind.BLURRED, announced=State.OK)
    assert list(reasons(first))[-1].startswith("announced is still: ok; 2 of the last 3 visits must agree")
    quiet = list(reasons(verdict(State.OK)))
    assert quiet == ["this visit: ok"]


def test_a_doubt_and_a_failure_speak_for_themselves() -> None:
    doubt = verdict(State.UNKNOWN, reason=UnknownReason.DOUBTFUL, detail="sharpness 41: sharp from 60 on")
    assert list(reasons(doubt))[:2] == ["this visit: unknown, doubtful", "sharpness 41: sharp from 60 on"]
    gone = verdict(State.OFFLINE, reason="refused", detail="nothing \x1b[2J listens", width=0, height=0)
    lines = list(because(gone, TIMES))
    assert lines[1:3] == [("because", "this visit: offline, refused"), ("", "nothing \\x1b[2J listens")]
    assert list(because(None, TIMES)) == [("last visit", "none yet")]


def test_the_table_has_times_spans_and_reasons() -> None:
    events = (
        StoryEvent(StoryStep.ORDERED, AT, 7, reason="rtsp", detail="by RTSP"),
        StoryEvent(StoryStep.FAILED, AT + 2_500_000_000, 7, reason="refused", detail="nothing\x1b listens"),
        StoryEvent(StoryStep.NOTIFIED, AT + 2_540_000_000, reason="notified", detail="told county", finding_id=3),
    )
    assert story_columns(TIMES)[0] == "time (UTC+8)"
    rows = [list(map(str, row)) for row in story_rows(events, TIMES)]
    assert [row[1] for row in rows] == ["", "2.5 s", "40 ms"]
    assert [row[2] for row in rows] == ["7", "7", "finding 3"]
    assert rows[1][3:] == ["failed", "refused", "nothing\\x1b listens"]
    assert kept(CameraStory("a", events, True, 4, AT), TIMES).endswith("4 older events are left out")
    assert "ok again" in kept(CameraStory("a", events, False, 0, AT), TIMES)
    assert kept(CameraStory("a", events), TIMES).startswith("from the verdict log")


class Kept:
    """What is stored of one camera: `verdicts`, newest first, and a story in memory."""

    name = "the test"

    def __init__(self, verdicts: list[LoggedVerdict], told: CameraStory | None = None) -> None:
        self._verdicts = verdicts
        self._told = told or CameraStory("a")

    def story(self, camera_id: str) -> CameraStory:
        del camera_id
        return self._told

    def logged(self, camera_id: str) -> Any:
        del camera_id
        return iter(self._verdicts)

    def findings(self, camera_id: str, *, open_only: bool) -> list[Any]:
        del camera_id, open_only
        return []


def logged(visit_id: int, state: State, announced: State) -> LoggedVerdict:
    concluded = Verdict("a", visit_id, AT + visit_id * S, state, reason="refused", announced=announced)
    return LoggedVerdict(100 + visit_id, concluded, changed=False)


def test_the_verdict_log_tells_where_the_announcement_changed() -> None:
    log = [
        logged(4, State.OFFLINE, State.OFFLINE), logged(3, State.OFFLINE, State.OFFLINE),
        logged(2, State.OFFLINE, State.OK), logged(1, State.OK, State.OK),
    ]  # fmt: skip
    told = story_of(Kept(log), "a", 2)  # type: ignore[arg-type]
    assert [(event.step, event.visit_id, event.seq) for event in told.events] == [
        (StoryStep.FAILED, 3, 0), (StoryStep.JUDGED, 3, 103), (StoryStep.ANNOUNCED, 3, 103),
        (StoryStep.FAILED, 4, 0), (StoryStep.JUDGED, 4, 104),
    ]  # fmt: skip
    assert told.events[2].detail == "refused; before: ok"
    assert story_of(Kept([]), "a", 5).events == ()  # type: ignore[arg-type]


def test_of_a_story_in_memory_the_last_visits_are_told_with_what_came_after() -> None:
    events = [StoryEvent(StoryStep.FAILED, AT + number * S, number) for number in range(1, 6)]
    events.append(StoryEvent(StoryStep.FINDING, AT + 9 * S, finding_id=2))
    told = story_of(Kept([], CameraStory("a", tuple(events), True, 10, AT)), "a", 2)  # type: ignore[arg-type]
    assert [event.visit_id for event in told.events] == [4, 5, 0]
    assert told.left_out == 13


def test_steps_of_a_finding_say_who_did_what() -> None:
    step = LedgerEvent(2, 3, Step.ACKNOWLEDGED, AT, "王芳", role="inspector", why="on it\n\x1b[1m")
    told = story_events.ledger_event(step)
    assert (told.step, told.reason, told.detail) == (
        StoryStep.FINDING,
        "acknowledged",
        "on it \\x1b[1m; by 王芳",
    )
    cause = verdict(State.FAULT, FaultKind.BLURRED, cause=Cause.DEFOCUS, announced_cause=Cause.DEFOCUS)
    assert story_events.announcement(cause) == "fault, blurred (defocus)"
